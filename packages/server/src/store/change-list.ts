import type { Change } from '@promptkeep/client/protocol'
import { type RawBuilder, type Selectable, sql } from 'kysely'
import { toChange } from './change-row.ts'
import type { ChangeTable, Db } from './schema.ts'
import type { ChangeFilter, ChangePage } from './store.ts'

/**
 * See `ChangeStore.list`. However rare what is asked for is, no query sorts the log or reads all of it: times become
 * numbers first, for both grow together, and where one condition would take several ranges of an index (a prompt with
 * renames, several kinds), each range is a query of its own, in the order of the log and cut off at the limit.
 */
export async function listChanges(db: Db, filter: ChangeFilter): Promise<readonly Change[]> {
  const rows = await newest<Selectable<ChangeTable>>(db, filter, sql`*`)
  return rows.map(toChange)
}

/** Of the texts of a page, in characters. An edit of a prompt's settings or a rollout is logged with both texts. */
const MOST_CHARACTERS = 4_000_000

/**
 * See `ChangeStore.page`. How long the rows are is asked of the database first: texts that are not on the page are
 * never brought here. The log only grows, so the rows are the same in both queries.
 */
export async function pageOfChanges(db: Db, filter: ChangeFilter): Promise<ChangePage> {
  const texts = ['prompt', 'new_name', 'actor', 'reason', 'evidence'].map(
    (column) => sql`coalesce(length(${sql.ref(`c.${column}`)}), 0)`,
  )
  const weight = sql.join(texts, sql` + `)
  const found = await newest<{ readonly seq: number; readonly weight: number }>(
    db,
    { ...filter, limit: filter.limit + 1 },
    sql`c.seq, ${weight} as weight`,
  )
  const wanted: number[] = []
  let left = MOST_CHARACTERS
  for (const row of found.slice(0, filter.limit)) {
    left -= Number(row.weight)
    if (left < 0 && wanted.length > 0) break // one row is a page, however long
    wanted.push(row.seq)
  }
  if (wanted.length === 0) return { changes: [], more: false }
  const rows = await db.selectFrom('changes').selectAll().where('seq', 'in', wanted).execute()
  const changes = rows.sort((a, b) => b.seq - a.seq).map(toChange)
  return { changes, more: found.length > wanted.length }
}

async function newest<Row extends { readonly seq: number }>(
  db: Db,
  filter: ChangeFilter,
  columns: RawBuilder<unknown>,
): Promise<readonly Row[]> {
  const { limit } = filter
  const range = await rangeOf(db, filter)
  if (range.first > range.last) return []
  const rows = new Map<number, Row>()
  for (const condition of await conditionsOf(db, filter)) {
    const found = await sql<Row>`
      select ${columns} from changes c where ${condition} and c.seq >= ${range.first} and c.seq <= ${range.last}
      order by c.seq desc limit ${limit}`.execute(db)
    for (const row of found.rows) rows.set(row.seq, row)
  }
  return [...rows.values()].sort((a, b) => b.seq - a.seq).slice(0, limit)
}

interface Range {
  readonly first: number
  readonly last: number
}

/** The end is fixed before anything else is read: a change that comes meanwhile must not push another off the page. */
async function rangeOf(
  db: Db,
  { since, until, before = Number.MAX_SAFE_INTEGER }: ChangeFilter,
): Promise<Range> {
  const last =
    until === undefined
      ? await db
          .selectFrom('changes')
          .select(({ fn }) => fn.max('seq').as('seq'))
          .executeTakeFirst()
      : await lastUntil(db, until)
  const first =
    since === undefined
      ? { seq: 1 }
      : await db
          .selectFrom('changes')
          .select('seq')
          .where('at', '>=', since)
          .orderBy('at')
          .orderBy('seq')
          .limit(1)
          .executeTakeFirst()
  return { first: first?.seq ?? Number.MAX_SAFE_INTEGER, last: Math.min(Number(last?.seq ?? 0), before - 1) }
}

/** The last change that is not later than a time. */
export const lastUntil = (db: Db, at: number) =>
  db
    .selectFrom('changes')
    .select('seq')
    .where('at', '<=', at)
    .orderBy('at', 'desc')
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()

type Condition = RawBuilder<unknown>

/** Each is one range of one index; together they are what was asked for. */
async function conditionsOf(db: Db, filter: ChangeFilter): Promise<readonly Condition[]> {
  const { prompt, alias, actor } = filter
  const kinds = [...new Set(filter.kinds)]
  const equal = { alias, actor }
  const given = Object.entries(equal).filter(([, value]) => value !== undefined)
  const ofKinds = kinds.length === 0 ? [] : [sql`c.kind in (${sql.join(kinds)})`]
  if (prompt !== undefined) {
    // Not on their own indexes: a prompt's rows are few beside those of an alias that every prompt has.
    const others = given.map(([column, value]) => sql`${sql.ref(`c.${column}`)} || '' = ${value}`)
    return (await under(db, prompt)).map((name) => all(name, ...others, ...ofKinds))
  }
  const indexed = given.map(([column, value]) => sql`${sql.ref(`c.${column}`)} = ${value}`)
  if (given.length > 0 || kinds.length === 0) return [all(...indexed, ...ofKinds)]
  return kinds.map((kind) => sql`c.kind = ${kind}`)
}

/** The rows under a name, and those from before a prompt came to it. */
async function under(db: Db, prompt: string): Promise<Condition[]> {
  const renames = await db
    .selectFrom('changes')
    .select(({ fn }) => ['model_id', fn.max('seq').as('seq')])
    .where('new_name', '=', prompt)
    .groupBy('model_id')
    .execute()
  const earlier = renames.map(
    ({ model_id, seq }) => sql`c.model_id = ${model_id} and c.seq <= ${Number(seq)}`,
  )
  return [sql`c.prompt = ${prompt}`, ...earlier]
}

const all = (...conditions: readonly Condition[]): Condition =>
  conditions.length === 0 ? sql`1 = 1` : sql.join(conditions, sql` and `)
