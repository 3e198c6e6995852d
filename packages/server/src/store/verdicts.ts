import type { Tx } from './schema.ts'
import type { Principal, RunData } from './store.ts'

/** The tag of a run that says how a gate judged it: `pass` or `fail`. */
export const VERDICT_TAG = 'promptkeep.verdict'

/** Keeps who wrote a run's verdict, in the transaction that writes it: as evidence it counts only from an evaluator. */
export async function keepVerdict(
  tx: Tx,
  runId: string,
  tags: RunData['tags'],
  { actor, roles, tokenId }: Principal,
  at: number,
): Promise<void> {
  const verdict = tags.findLast(({ key }) => key === VERDICT_TAG)?.value
  if (verdict === undefined) return
  const row = {
    verdict,
    actor,
    token_id: tokenId ?? null,
    is_evaluators: roles.includes('evaluator') ? 1 : 0,
    at,
  }
  await tx
    .insertInto('verdicts')
    .values({ run_id: runId, ...row })
    .onConflict((conflict) => conflict.column('run_id').doUpdateSet(row))
    .execute()
}
