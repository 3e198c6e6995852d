import { VersionNotFound } from '@promptkeep/client/protocol'
import { prepared } from '@promptkeep/sql'
import { sql } from 'kysely'
import type { Db, SqlDialect, Tx } from './schema.ts'
import type { ModelVersion } from './store.ts'
import { tagsColumn, tagsFromJson } from './tags.ts'

/** One version as {@link versionColumns} reads it. */
export interface VersionRow {
  readonly name: string
  readonly version: number
  readonly version_description: string | null
  readonly source: string
  readonly run_id: string
  readonly run_link: string
  readonly stage: string
  readonly version_created_at: number
  readonly version_updated_at: number
  readonly digest: string | null
  readonly version_tags: string
  readonly version_aliases: string
}

/**
 * The columns of a {@link VersionRow} for a query over `models m` and `versions v`: the version with its tags and
 * aliases is one row of one statement, and so one consistent reading.
 */
export const versionColumns = (dialect: SqlDialect) => sql`
  m.name, v.version, v.description as version_description, v.source, v.run_id, v.run_link, v.stage,
  v.created_at as version_created_at, v.updated_at as version_updated_at, v.digest,
  ${tagsColumn(dialect, 'version_tags', sql`t.model_id = v.model_id and t.version = v.version`)} as version_tags,
  (select ${dialect.jsonRows([sql`a.alias`], sql`a.alias`)} from aliases a
    where a.model_id = v.model_id and a.version = v.version) as version_aliases`

/** The newest live version of each stage of `models m`, as a condition on `versions v`. */
export const isLatestOfStage = sql`v.model_id = m.id and v.version in (
  select max(version) from versions where model_id = m.id and deleted_at is null group by stage)`

export function toVersion(row: VersionRow): ModelVersion {
  return {
    name: row.name,
    version: row.version,
    description: row.version_description ?? undefined,
    source: row.source,
    runId: row.run_id,
    runLink: row.run_link,
    stage: row.stage,
    createdAt: row.version_created_at,
    updatedAt: row.version_updated_at,
    tags: tagsFromJson(row.version_tags),
    aliases: (JSON.parse(row.version_aliases) as [string][]).map(([alias]) => alias),
  }
}

/** A live version that a transaction is about to write to. */
export interface LockedVersion {
  readonly modelId: number
  readonly name: string
  readonly version: number
  readonly description: string | null
  readonly digest: string | null
  readonly stage: string
}

/**
 * Finds a live version and keeps it, and its model, from being deleted until the transaction ends.
 * @throws {VersionNotFound}
 */
export async function lockVersion(tx: Tx, name: string, version: number): Promise<LockedVersion> {
  if (!canBeVersion(version)) throw new VersionNotFound(name, version)
  const [row] = await findAndLock(tx, { name, version })
  if (!row) throw new VersionNotFound(name, version)
  return row
}

const findAndLock = prepared<{ name: string; version: number }, LockedVersion>(
  (of, { forUpdate }) => sql`
    select m.id as "modelId", m.name, v.version, v.description, v.digest, v.stage
    from models m join versions v on v.model_id = m.id
    where m.name = ${of('name')} and v.version = ${of('version')} and v.deleted_at is null ${forUpdate}`,
)

/** Reads a live version whole. @throws {VersionNotFound} */
export async function readVersion(db: Db, name: string, version: number): Promise<ModelVersion> {
  if (!canBeVersion(version)) throw new VersionNotFound(name, version)
  const [row] = await findVersion(db, { name, version })
  if (!row) throw new VersionNotFound(name, version)
  return toVersion(row)
}

const findVersion = prepared<{ name: string; version: number }, VersionRow>(
  (of, dialect) => sql`
    select ${versionColumns(dialect)} from models m join versions v on v.model_id = m.id
    where m.name = ${of('name')} and v.version = ${of('version')} and v.deleted_at is null`,
)

/** Postgres fails on a number that its column could not hold; there is no such version either way. */
const canBeVersion = (version: number) => Number.isSafeInteger(version)
