import { type RawBuilder, sql } from 'kysely'
import type { StoreContext } from './context.ts'
import type { Resolution } from './store.ts'
import { toVersion, type VersionRow, versionColumns } from './version-rows.ts'

type Row = (VersionRow | { readonly version: null }) & {
  readonly seq: number
  readonly asked: string
  readonly model_id: number | null
  readonly followed: string | null
}

/**
 * See `HistoryStore.resolve`. One statement, and so one reading on both databases: what it answers, and the log's
 * last `seq`, were true at the same time.
 */
export async function resolveNow(
  { db, dialect }: Pick<StoreContext, 'db' | 'dialect'>,
  names: readonly string[],
  chain: readonly string[],
): Promise<Resolution> {
  const asked = [...new Set(names)]
  const { rows } = await sql<Row>`
    select s.value as seq, n.name as asked, m.id as model_id, f.alias as followed, ${versionColumns(dialect)}
    from counters s
      left join ${listed(asked)} n on 1 = 1
      left join models m on m.name = n.name
      left join ${chainOf(chain)} f on f.position = (
        select min(o.position) from ${chainOf(chain)} o where ${versionOf('o')} is not null)
      left join versions v on v.model_id = m.id and v.version = ${versionOf('f')}
    where s.name = 'change' order by n.position`.execute(db)
  const found: Resolution['found'][number][] = []
  const missing: Resolution['missing'][number][] = []
  for (const row of asked.length === 0 ? [] : rows) {
    if (row.version !== null && row.followed !== null)
      found.push({ name: row.asked, alias: row.followed, version: toVersion(row) })
    else
      missing.push({
        name: row.asked,
        code: row.model_id === null ? 'PROMPT_NOT_FOUND' : 'ALIAS_NOT_FOUND',
      })
  }
  return { seq: rows[0]?.seq ?? 0, found, missing }
}

/** Whether an alias is not one that somebody set, but the newest live version. */
export const isLatest = (alias: string) => alias.toLowerCase() === 'latest'

/** Texts as the rows (position, name). @param names - Each once; none are one row that no prompt is named after. */
export const listed = (names: readonly string[]): RawBuilder<unknown> =>
  rowsOf(
    sql`position, name`,
    (names.length === 0 ? [''] : names).map((name, i) => sql`(${sql.lit(i)}, cast(${name} as text))`),
  )

/** An alias chain as the rows (position, alias, newest). */
const chainOf = (chain: readonly string[]): RawBuilder<unknown> =>
  rowsOf(
    sql`position, alias, newest`,
    chain.map(
      (alias, i) => sql`(${sql.lit(i)}, cast(${alias} as text), ${sql.lit(isLatest(alias) ? 1 : 0)})`,
    ),
  )

/** A list of values as a table, in words that both databases know. */
export const rowsOf = (columns: RawBuilder<unknown>, rows: readonly RawBuilder<unknown>[]) =>
  sql`(with listed (${columns}) as (values ${sql.join(rows)}) select * from listed)`

/** The version that a row of {@link chainOf} means for `models m`. */
const versionOf = (step: 'o' | 'f') => sql`case when ${sql.ref(`${step}.newest`)} = 1
  then (select max(l.version) from versions l where l.model_id = m.id and l.deleted_at is null)
  else (select a.version from aliases a where a.model_id = m.id and a.alias = ${sql.ref(`${step}.alias`)}) end`
