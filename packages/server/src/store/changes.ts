import type { Change } from '@promptkeep/client/protocol'
import { prepared } from '@promptkeep/sql'
import { type Selectable, sql } from 'kysely'
import { listChanges, pageOfChanges } from './change-list.ts'
import { toChange } from './change-row.ts'
import type { StoreContext } from './context.ts'
import type { ChangeTable, SqlDialect, Tx } from './schema.ts'
import type { Author, ChangeStore } from './store.ts'
import { toVersion, type VersionRow, versionColumns } from './version-rows.ts'

/** A change about to be logged. `evidence` of an edit is the JSON of `{ before, after }`. */
export interface NewChange extends Omit<Change, 'seq' | 'actor' | 'reason'> {
  readonly modelId: number
  readonly requestId?: string | undefined
}

/** Who made a change, and what they said of it. */
export type Attribution = Pick<Author, 'actor' | 'reason'>

/**
 * Makes the writers of the log take turns until this transaction ends. Called before a transaction reads what it
 * is going to change, so that what it read still holds when it writes.
 */
export async function lockLog(tx: Tx, dialect: SqlDialect): Promise<void> {
  if (!dialect.locksRows) return
  await sql`select value from counters where name = 'change' ${dialect.forUpdate}`.execute(tx)
}

/** Logs a change in the transaction that makes it; `lockLog` came first. */
export async function appendChange(
  tx: Tx,
  { modelId, requestId, ...change }: NewChange,
  { actor, reason }: Attribution,
): Promise<Change> {
  const { seq, last } = await nextPlace(tx)
  const row = {
    seq,
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
    at: Math.max(change.at, last ?? 0),
    request_id: requestId ?? null,
    forced: change.forced === true ? 1 : 0,
    restores: change.restores ?? null,
  }
  await insertChange(tx, row)
  return toChange(row)
}

/**
 * The next number, and the time of the row before it: a clock may be set back; the log's own time never is, or "what was
 * true at" had two answers.
 */
async function nextPlace(tx: Tx): Promise<Place> {
  const [place] = await takePlace(tx, {})
  if (!place) throw new Error('there is no counter of changes')
  return place
}

interface Place {
  readonly seq: number
  readonly last: number | null
}

const takePlace = prepared<object, Place>(
  () => sql`
    update counters set value = value + 1 where name = 'change'
    returning value as seq, (select at from changes order by seq desc limit 1) as last`,
)

const insertChange = prepared<Selectable<ChangeTable>, unknown>(
  (of) => sql`
    insert into changes (seq, kind, model_id, prompt, alias, from_version, to_version, new_name, digest, actor, reason,
      evidence, at, request_id, forced, restores)
    values (${of('seq')}, ${of('kind')}, ${of('model_id')}, ${of('prompt')}, ${of('alias')}, ${of('from_version')},
      ${of('to_version')}, ${of('new_name')}, ${of('digest')}, ${of('actor')}, ${of('reason')}, ${of('evidence')},
      ${of('at')}, ${of('request_id')}, ${of('forced')}, ${of('restores')})`,
)

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
 * Reads the log. A row keeps the name of its day; a list of one prompt therefore answers the rows that were written under
 * its name (by every prompt that ever had it), and, for each prompt that came to it by a rename, its rows from
 * before the rename too: the history of a renamed prompt is whole under the new name, and under the old one it
 * ends with `prompt.renamed`.
 */
export function createChangeStore({ db, dialect }: StoreContext): ChangeStore {
  const after = (seq: number, limit: number) =>
    db.selectFrom('changes').selectAll().where('seq', '>', seq).orderBy('seq').limit(limit).execute()

  return {
    list: (filter) => listChanges(db, filter),
    page: (filter) => pageOfChanges(db, filter),

    async after(seq, limit) {
      return (await after(seq, limit)).map(toChange)
    },

    async tell(seq, limit) {
      const rows = await after(seq, limit)
      const told = rows.filter(({ to_version }) => to_version !== null)
      if (told.length === 0) return rows.map((row) => ({ change: toChange(row) }))
      const wanted = sql.join(
        told.map((row) => sql`(v.model_id = ${row.model_id} and v.version = ${row.to_version})`),
        sql` or `,
      )
      const found = await sql<VersionRow & { readonly model_id: number }>`
        select v.model_id, ${versionColumns(dialect)} from versions v join models m on m.id = v.model_id
        where v.deleted_at is null and (${wanted})`.execute(db)
      const versions = new Map(found.rows.map((row) => [`${row.model_id}/${row.version}`, toVersion(row)]))
      return rows.map((row) => {
        const version = versions.get(`${row.model_id}/${row.to_version}`)
        return { change: toChange(row), ...(version && { version }) }
      })
    },

    async countAfter(seq) {
      const rows = await db
        .selectFrom('changes')
        .select(({ fn }) => ['kind', fn.countAll().as('count'), fn.max('seq').as('last')])
        .where('seq', '>', seq)
        .groupBy('kind')
        .execute()
      return {
        last: Math.max(seq, ...rows.map(({ last }) => Number(last))),
        kinds: Object.fromEntries(rows.map(({ kind, count }) => [kind, Number(count)])),
      }
    },

    async bounds() {
      const row = await db
        .selectFrom('changes')
        .select(({ fn }) => [fn.min('seq').as('first'), fn.max('seq').as('last')])
        .executeTakeFirstOrThrow()
      return { first: Number(row.first ?? 1), last: Number(row.last ?? 0) }
    },
  }
}
