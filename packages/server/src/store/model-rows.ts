import { PromptNotFound } from '@promptkeep/client/protocol'
import { prepared } from '@promptkeep/sql'
import { type RawBuilder, sql } from 'kysely'
import type { Db, SqlDialect, Tx } from './schema.ts'
import type { RegisteredModel } from './store.ts'
import { tagsColumn, tagsFromJson } from './tags.ts'
import { isLatestOfStage, toVersion, type VersionRow, versionColumns } from './version-rows.ts'

interface ModelRow {
  readonly id: number
  readonly name: string
  readonly description: string
  readonly created_at: number
  readonly updated_at: number
  readonly tags: string
  readonly aliases: string
}

/** Without a live version the version's columns are null. */
type Joined = ModelRow & (VersionRow | { readonly version: null })

/** Reads the models that `condition` (on `models m`) selects, whole, in one statement. */
export async function readModels(
  db: Db,
  dialect: SqlDialect,
  condition: RawBuilder<unknown>,
): Promise<Map<number, RegisteredModel>> {
  const { rows } = await sql<Joined>`
    select m.id, m.description, m.created_at, m.updated_at,
      ${tagsColumn(dialect, 'model_tags', sql`t.model_id = m.id`)} as tags,
      (select ${dialect.jsonRows([sql`a.alias`, sql`a.version`], sql`a.alias`)} from aliases a
        where a.model_id = m.id) as aliases,
      ${versionColumns(dialect)}
    from models m left join versions v on ${isLatestOfStage}
    where ${condition} order by m.id, v.version`.execute(db)
  const models = new Map<number, RegisteredModel>()
  for (const row of rows) {
    const latest = row.version === null ? [] : [{ ...toVersion(row as VersionRow), aliases: [] }]
    const earlier = models.get(row.id)
    models.set(
      row.id,
      earlier
        ? { ...earlier, latestVersions: [...earlier.latestVersions, ...latest] }
        : { ...toModel(row), latestVersions: latest },
    )
  }
  return models
}

/** @throws {PromptNotFound} */
export async function readModel(db: Db, dialect: SqlDialect, name: string): Promise<RegisteredModel> {
  const [model] = (await readModels(db, dialect, sql`m.name = ${name}`)).values()
  if (!model) throw new PromptNotFound(name)
  return model
}

/**
 * Finds a model for a transaction that is about to write to it, and keeps it from being deleted or renamed until
 * the transaction ends.
 */
export async function lockModel(tx: Tx, name: string): Promise<LockedModel | undefined> {
  const [row] = await findAndLock(tx, { name })
  return row
}

const findAndLock = prepared<{ name: string }, LockedModel>(
  (of, { forUpdate }) => sql`
    select id, name, last_version as "lastVersion" from models where name = ${of('name')} ${forUpdate}`,
)

export interface LockedModel {
  readonly id: number
  readonly name: string
  readonly lastVersion: number
}

/** @throws {PromptNotFound} */
export async function requireModel(tx: Tx, name: string): Promise<LockedModel> {
  const model = await lockModel(tx, name)
  if (!model) throw new PromptNotFound(name)
  return model
}

function toModel(row: ModelRow): Omit<RegisteredModel, 'latestVersions'> {
  return {
    name: row.name,
    description: row.description,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    tags: tagsFromJson(row.tags),
    aliases: (JSON.parse(row.aliases) as [string, number][]).map(([alias, version]) => ({ alias, version })),
  }
}
