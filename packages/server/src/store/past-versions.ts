import { TAG } from '@promptkeep/client/protocol'
import { sql } from 'kysely'
import { rolloutTag } from './content-tags.ts'
import { isAliasState, isVersionState } from './log-indexes.ts'
import { rowsOf } from './resolve.ts'
import type { Db, SqlDialect } from './schema.ts'
import type { ModelVersion, Tags } from './store.ts'
import { toVersion, type VersionRow, versionColumns } from './version-rows.ts'

/** A version that an alias said; `model_id` tells which prompt of that name it was. */
export interface Said {
  readonly modelId: number
  readonly name: string
  readonly version: number
}

export interface SaidThen {
  readonly digest: string | undefined
  /** `undefined` where it was not kept. */
  readonly content: ModelVersion | undefined
}

type Row = (VersionRow | { readonly version: null }) & {
  readonly position: number
  readonly record: string | null
  readonly digest_then: string | null
  readonly config: string | null
  readonly message: string | null
  readonly rollouts: string
  readonly aliases_then: string
}

/**
 * Versions as they were right after the row `seq` of the log: what they hold now, or held when their prompt was deleted,
 * without what was edited since. Each edit in the log tells what it replaced. One statement, in the order of `said`.
 */
export async function readPastVersions(
  db: Db,
  dialect: SqlDialect,
  said: readonly Said[],
  seq: number,
): Promise<readonly SaidThen[]> {
  if (said.length === 0) return []
  const asked = rowsOf(
    sql`position, model_id, version`,
    said.map(({ modelId, version }, i) => sql`(${sql.lit(i)}, ${sql.lit(modelId)}, ${sql.lit(version)})`),
  )
  const ofVersion = sql`c.model_id = f.model_id and c.to_version = f.version and ${isVersionState()}`
  const firstEdit = (kind: 'config.edited' | 'message.edited') => sql`
    (select c.evidence from changes c where ${ofVersion} and c.kind = ${kind} and c.seq > ${seq}
      order by c.seq limit 1)`
  const { rows } = await sql<Row>`
    select f.position, kept.record,
      (select c.digest from changes c where ${ofVersion} and c.seq <= ${seq}
        order by c.seq desc limit 1) as digest_then,
      ${firstEdit('config.edited')} as config, ${firstEdit('message.edited')} as message,
      (select ${dialect.jsonRows([sql`c.alias`, sql`c.evidence`], sql`c.seq`)} from changes c
        where ${ofVersion} and c.kind = 'rollout.changed' and c.seq > ${seq}) as rollouts,
      ${aliasesThen(dialect, seq)} as aliases_then,
      ${versionColumns(dialect)}
    from ${asked} f
      left join models m on m.id = f.model_id
      left join versions v on v.model_id = f.model_id and v.version = f.version
      left join archived_versions kept on kept.model_id = f.model_id and kept.version = f.version
    order by f.position`.execute(db)
  return rows.map((row, i) => readRow(row, said[i]?.name ?? ''))
}

/**
 * The aliases of `f.version` at a row of the log. An index gives the names that the prompt's aliases ever had one by one,
 * and where each was: however often they were moved, no more rows are read than there are aliases.
 */
const aliasesThen = (dialect: SqlDialect, seq: number) => sql`
  (select ${dialect.jsonRows([sql`x.alias`], sql`x.alias`)} from (
    with recursive names (alias) as (
      select min(c.alias) from changes c where c.model_id = f.model_id and ${isAliasState()}
      union all
      select (select min(c.alias) from changes c
          where c.model_id = f.model_id and ${isAliasState()} and c.alias > names.alias)
        from names where names.alias is not null)
    select alias from names where alias is not null) x
  where (select c.to_version from changes c
    where c.model_id = f.model_id and c.alias = x.alias and ${isAliasState()} and c.seq <= ${seq}
    order by c.seq desc limit 1) = f.version)`

function readRow(row: Row, name: string): SaidThen {
  const digest = row.digest_then ?? undefined
  const now = contentNow(row)
  if (!now) return { digest, content: undefined }
  const aliases = (JSON.parse(row.aliases_then) as [string][]).map(([alias]) => alias)
  const description = row.message === null ? now.description : (beforeOf(row.message) ?? undefined)
  return { digest, content: { ...now, name, description, tags: tagsThen(now.tags, row), aliases } }
}

function contentNow(row: Row): ModelVersion | undefined {
  if (row.version !== null) return toVersion(row)
  if (row.record === null) return undefined
  const { description, ...kept } = JSON.parse(row.record) as ModelVersion
  return { ...kept, description }
}

/** Only what an alias says is undone; free tags are not in the log, and stay as they are. */
function tagsThen(tags: Tags, { config, rollouts, digest_then }: Row): Tags {
  const then: Record<string, string | null> = { ...tags }
  if (config !== null) then[TAG.modelConfig] = beforeOf(config)
  if (digest_then !== null && TAG.digest in tags) then[TAG.digest] = digest_then
  // Newest first, so that the first edit has the last word.
  for (const [alias, evidence] of (JSON.parse(rollouts) as [string, string][]).reverse())
    then[rolloutTag(alias)] = beforeOf(evidence)
  return Object.fromEntries(Object.entries(then).filter((tag): tag is [string, string] => tag[1] !== null))
}

/** What an edit replaced; `null`: there was nothing. */
const beforeOf = (evidence: string) => (JSON.parse(evidence) as { before: string | null }).before
