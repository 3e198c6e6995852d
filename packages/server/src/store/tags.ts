import { prepared } from '@promptkeep/sql'
import { type RawBuilder, sql } from 'kysely'
import type { SqlDialect, Tx } from './schema.ts'
import type { Tags } from './store.ts'

/** Where the tags of one row live: `columns` point at it. */
export type TagOwner =
  | { readonly table: 'model_tags'; readonly columns: { readonly model_id: number } }
  | {
      readonly table: 'version_tags'
      readonly columns: { readonly model_id: number; readonly version: number }
    }

/** Both databases limit the parameters of one statement. */
const ROWS_PER_INSERT = 1000

/** Up to here a kept statement for each is cheaper than one for all that must be put together first. */
const MANY_TAGS = 10

/** The first tags of a new row. */
export async function insertTags(tx: Tx, { table, columns }: TagOwner, tags: Tags): Promise<void> {
  const entries = Object.entries(tags)
  if (table === 'version_tags' && entries.length <= MANY_TAGS) {
    for (const [position, [key, value]] of entries.entries())
      await writeVersionTag(tx, { ...columns, key, value, position })
    return
  }
  const rows = entries.map(([key, value], position) => ({ ...columns, key, value, position }))
  for (let start = 0; start < rows.length; start += ROWS_PER_INSERT) {
    const part = rows.slice(start, start + ROWS_PER_INSERT)
    if (table === 'model_tags') await tx.insertInto(table).values(part).execute()
    else
      await tx
        .insertInto(table)
        .values(part as VersionTag[])
        .execute()
  }
}

const writeVersionTag = prepared<VersionTag, unknown>(
  (of) => sql`
    insert into version_tags (model_id, version, key, value, position)
    values (${of('model_id')}, ${of('version')}, ${of('key')}, ${of('value')}, ${of('position')})`,
)

type VersionTag = { model_id: number; version: number; key: string; value: string; position: number }

/** Sets one tag; a new key goes behind the others, a known one keeps its place. */
export async function putTag(tx: Tx, owner: TagOwner, key: string, value: string): Promise<void> {
  const { table, columns } = owner
  const keys = sql.join(Object.keys(columns).map((column) => sql.ref(column)))
  const next = sql`(select coalesce(max(position) + 1, 0) from ${sql.table(table)} where ${belongsTo(owner)})`
  await sql`insert into ${sql.table(table)} (${keys}, key, value, position)
    values (${sql.join(Object.values(columns))}, ${key}, ${value}, ${next})
    on conflict (${keys}, key) do update set value = excluded.value`.execute(tx)
}

export async function removeTag(tx: Tx, owner: TagOwner, key: string): Promise<void> {
  await sql`delete from ${sql.table(owner.table)} where ${belongsTo(owner)} and key = ${key}`.execute(tx)
}

/** `undefined` when there is no such tag. */
export async function readTag(tx: Tx, owner: TagOwner, key: string): Promise<string | undefined> {
  const { rows } = await sql<{ value: string }>`
    select value from ${sql.table(owner.table)} where ${belongsTo(owner)} and key = ${key}`.execute(tx)
  return rows[0]?.value
}

const belongsTo = ({ columns }: TagOwner) =>
  sql.join(
    Object.entries(columns).map(([column, value]) => sql`${sql.ref(column)} = ${value}`),
    sql` and `,
  )

/** All tags of the row that `on` points at, as one column of JSON text: no second query, and no row per tag. */
export const tagsColumn = (
  dialect: SqlDialect,
  table: TagOwner['table'] | 'experiment_tags' | 'run_tags' | 'params',
  on: RawBuilder<unknown>,
) =>
  sql`(select ${dialect.jsonRows([sql`t.key`, sql`t.value`], sql`t.position`)}
    from ${sql.table(table)} t where ${on})`

/** Reads {@link tagsColumn}. */
export const tagsFromJson = (json: string): Tags => Object.fromEntries(JSON.parse(json) as [string, string][])
