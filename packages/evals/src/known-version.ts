import { hasCode, isAbsence, type Lineage } from '@promptkeep/client'
import { answered, type EvalRegistry } from './aliases.ts'

/** A version that the registry doesn't know, or knows with another text, came from somewhere else. */
export async function unknownProblems(
  name: string,
  { version, digest }: Lineage,
  registry: EvalRegistry,
): Promise<string[]> {
  const known = await answered(
    registry.load(name, { version }).catch((error: unknown) => {
      if (hasCode(error, 'DIGEST_MISMATCH')) return 'changed'
      if (isAbsence(error)) return undefined
      throw error
    }),
  )
  if (known === 'changed') return [`version ${version} of ${name} was changed after it was registered`]
  if (!known) return [`the registry knows no version ${version} of ${name}`]
  return known.digest === digest ? [] : [`version ${version} of ${name} has another text in the registry`]
}
