import type { Change } from '@promptkeep/client/protocol'
import { type Selectable, sql } from 'kysely'
import type { StoreContext } from './context.ts'
import { nextNumber } from './counters.ts'
import type { ChangeTable, SqlDialect, Tx } from './schema.ts'
import type { Author, ChangeStore } from './store.ts'

/** A change about to be logged. `evidence` of an edit is the JSON of `{ before, after }`. */
export interface NewChange extends Omit<Change, 'seq' | 'actor' | 'reason'> {
  readonly modelId: number
  readonly requestId?: string | undefined
}

/**
 * Makes the writers of the log take turns until this transaction ends. Called before a transaction reads what it
 * is going to change, so that what it read still holds when it writes.
 */
export async function lockLog(tx: Tx, dialect: SqlDialect): Promise<void> {
  await sql`select value from counters where name = 'change' ${dialect.forUpdate}`.execute(tx)
}

/** Logs a change in the transaction that makes it; `lockLog` came first. */
export async function appendChange(
  tx: Tx,
  { modelId, requestId, ...change }: NewChange,
  { actor, reason }: Author,
): Promise<Change> {
  const row = {
    seq: await nextNumber(tx, 'change'),
    kind: change.kind,
    model_id: modelId,
    prompt: change.prompt,
    alias: change.alias ?? null,
    from_version: change.from ?? null,
    to_version: change.to ?? null,
    new_name: change.newName ?? null,
    digest: change.digest ?? null,
    actor,
    reason: reason ?? null,
    evidence: change.evidence ?? null,
    at: change.at,
    request_id: requestId ?? null,
  }
  await tx.insertInto('changes').values(row).execute()
  return toChange(row)
}

/** The change that an earlier sending of this request made to a prompt. */
export async function changeOfRequest(
  tx: Tx,
  modelId: number,
  requestId: string,
): Promise<Change | undefined> {
  const row = await tx
    .selectFrom('changes')
    .selectAll()
    .where('model_id', '=', modelId)
    .where('request_id', '=', requestId)
    .executeTakeFirst()
  return row && toChange(row)
}

/** What an edit replaced, for `evidence`. `null` is "there was none". */
export const beforeAndAfter = (before: string | null, after: string | null) =>
  JSON.stringify({ before, after })

/**
 * Reads the log. A row keeps the name of its day; `of` a name therefore answers the rows that were written under
 * that name (by every prompt that ever had it), and, for each prompt that came to it by a rename, its rows from
 * before the rename too: the history of a renamed prompt is whole under the new name, and under the old one it
 * ends with `prompt.renamed`.
 */
export function createChangeStore({ db }: StoreContext): ChangeStore {
  return {
    async of(prompt, { limit, before }) {
      const renames = await db
        .selectFrom('changes')
        .select(['model_id', 'seq'])
        .where('new_name', '=', prompt)
        .execute()
      const rows = await db
        .selectFrom('changes')
        .selectAll()
        .where((eb) =>
          eb.or([
            eb('prompt', '=', prompt),
            ...renames.map(({ model_id, seq }) => eb('model_id', '=', model_id).and('seq', '<=', seq)),
          ]),
        )
        .$if(before !== undefined, (query) => query.where('seq', '<', before ?? 0))
        .orderBy('seq', 'desc')
        .limit(limit)
        .execute()
      return rows.map(toChange)
    },
    async after(seq, limit) {
      const query = db.selectFrom('changes').selectAll().where('seq', '>', seq)
      return (await query.orderBy('seq').limit(limit).execute()).map(toChange)
    },
  }
}

function toChange(row: Selectable<ChangeTable>): Change {
  return {
    seq: row.seq,
    kind: row.kind,
    prompt: row.prompt,
    ...(row.alias !== null && { alias: row.alias }),
    ...(row.from_version !== null && { from: row.from_version }),
    ...(row.to_version !== null && { to: row.to_version }),
    ...(row.new_name !== null && { newName: row.new_name }),
    ...(row.digest !== null && { digest: row.digest }),
    actor: row.actor,
    ...(row.reason !== null && { reason: row.reason }),
    ...(row.evidence !== null && { evidence: row.evidence }),
    at: row.at,
  }
}
