import type { Change } from '@promptkeep/client'
import { EvalFailure } from './errors.ts'
import { readEvalRun } from './eval-run.ts'
import type { JudgedVersion } from './evidence.ts'
import type { Tracking } from './tracking-port.ts'

/**
 * Why a version that has its alias already did not earn it, by the last move in the history; `undefined`: it did. Without a
 * policy `evidence` is whatever its caller wrote there, so the run itself is asked.
 * @throws {EvalFailure} `INFRASTRUCTURE`: it cannot be asked
 */
export async function whyNotEarned(
  move: Change | undefined,
  { name, version, digest }: JudgedVersion,
  tracking: Pick<Tracking, 'getRun'>,
): Promise<string | undefined> {
  if (move === undefined || move.to !== version) return 'its history does not say how it got there'
  if (move.forced) return 'it got there by force'
  if (move.evidence === undefined) return 'it got there without evidence'
  if (move.digest !== undefined && move.digest !== digest) return 'it had another text then'
  const id = move.evidence.replace(/^runs:\//, '')
  try {
    const run = readEvalRun(await tracking.getRun(id))
    const used = run.prompts[name]
    if (used?.version !== version || used.digest !== digest) return `run ${id} did not judge it`
    if (!run.isComplete) return `run ${id} is not complete`
    return run.verdict === 'pass' ? undefined : `run ${id} has no verdict pass`
  } catch (error) {
    if (!(error instanceof EvalFailure) || error.code === 'INFRASTRUCTURE') throw error
    return `run ${id} cannot be read: ${error.message}`
  }
}
