import type { Tx } from './schema.ts'
import type { Principal, RunData } from './store.ts'

/** The tag of a run that says how a gate judged it: `pass` or `fail`. */
export const VERDICT_TAG = 'promptkeep.verdict'

/**
 * Keeps who wrote a run's verdict, in the transaction that writes it: as evidence it counts only from an evaluator's
 * token. Whoever writes last has given it.
 */
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
    // Who has no token has all roles, and is nobody's evaluator.
    is_evaluators: tokenId !== undefined && roles.includes('evaluator') ? 1 : 0,
    at,
  }
  await tx
    .insertInto('verdicts')
    .values({ run_id: runId, ...row })
    .onConflict((conflict) => conflict.column('run_id').doUpdateSet(row))
    .execute()
}

/** Params that come later, or another end, are what the verdict did not judge: from then on it is nobody's. */
export async function voidVerdict(tx: Tx, runId: string): Promise<void> {
  await tx.deleteFrom('verdicts').where('run_id', '=', runId).execute()
}

export interface KnownVerdict {
  readonly verdict: string
  readonly actor: string
  readonly isEvaluators: boolean
  /** Whether the token that wrote it is revoked by now. */
  readonly isRevoked: boolean
  /** When it was written, by the server's clock: milliseconds since the epoch. */
  readonly at: number
}

export async function readVerdict(tx: Tx, runId: string): Promise<KnownVerdict | undefined> {
  const row = await tx
    .selectFrom('verdicts')
    .leftJoin('tokens', 'tokens.id', 'verdicts.token_id')
    .select([
      'verdicts.verdict',
      'verdicts.actor',
      'verdicts.is_evaluators',
      'verdicts.at',
      'tokens.revoked_at',
    ])
    .where('verdicts.run_id', '=', runId)
    .executeTakeFirst()
  return (
    row && {
      verdict: row.verdict,
      actor: row.actor,
      isEvaluators: row.is_evaluators === 1,
      isRevoked: row.revoked_at !== null,
      at: Number(row.at),
    }
  )
}
