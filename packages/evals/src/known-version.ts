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
      if (isAbsence(error) || hasCode(error, 'DIGEST_MISMATCH')) return undefined
      throw error
    }),
  )
  if (!known) return [`the registry knows no version ${version} of ${name}`]
  return known.digest === digest ? [] : [`version ${version} of ${name} has another text in the registry`]
}
