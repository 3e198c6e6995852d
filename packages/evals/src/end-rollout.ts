import { hasCode } from '@promptkeep/client'
import type { Admin } from '@promptkeep/client/admin'
import { type RolloutPlace, readEdit, rolloutChanges } from './rollout-start.ts'

/**
 * Gives all to the version that the alias points at. Where a policy asks for evidence that takes an admin; bringing back what
 * was in force before the rollout does not, and is the same when the alias was not shared then.
 * @throws {RegistryError} nobody may, or the alias moved
 */
export async function endRollout(
  admin: Pick<Admin, 'rollout' | 'rollback' | 'changes' | 'capabilities'>,
  place: RolloutPlace & { readonly reason: string },
): Promise<void> {
  const { name, alias, main, reason } = place
  try {
    await admin.rollout({ name, alias, weights: { [main]: 100 }, expected: main, reason })
  } catch (error) {
    if (!hasCode(error, 'FORBIDDEN') || !(await admin.capabilities()).history) throw error
    const before = await lastWhole(admin, place)
    if (before === undefined) throw error
    await admin.rollback({ name, alias, toSeq: before, expected: main, reason })
  }
}

/** The change after which the alias said this version alone: the one before the rollout. */
async function lastWhole(
  admin: Pick<Admin, 'changes'>,
  { name, alias, main }: RolloutPlace,
): Promise<number | undefined> {
  let isSplitAfter = false
  for await (const change of rolloutChanges(admin, name, alias)) {
    if (change.to !== main) return undefined
    if (change.kind === 'rollout.changed') {
      const { before, after } = readEdit(change)
      if (after === undefined) return change.seq
      isSplitAfter = before === undefined
    } else if (change.kind === 'alias.moved' && isSplitAfter) return change.seq
  }
  return undefined
}
