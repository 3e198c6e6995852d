import { TAG } from '@promptkeep/client/protocol'
import { type Selectable, sql } from 'kysely'
import { rolloutNames, rolloutTag } from './content-tags.ts'
import { isAliasState, isVersionState } from './log-indexes.ts'
import { aliasesAt } from './past.ts'
import { readPastVersions } from './past-versions.ts'
import type { ChangeTable, SqlDialect, Tx } from './schema.ts'
import type { Tags } from './store.ts'

/** One alias of a prompt, by the prompt's id: names are given again. */
export interface AliasOf {
  readonly model: { readonly id: number; readonly name: string }
  readonly alias: string
}

/** All that an alias says: what a rollback brings back. */
export interface AliasState {
  readonly version: number
  readonly digest: string | undefined
  readonly modelConfig: string | undefined
  readonly rollout: string | undefined
  /** Tags of the version. */
  readonly tags: Tags
}

/** Behind every row of the log. */
export const NOW = Number.MAX_SAFE_INTEGER

/** What an alias said right after a row of the log; `undefined` while it was unset. */
export async function aliasStateAt(
  tx: Tx,
  dialect: SqlDialect,
  { model, alias }: AliasOf,
  seq: number,
): Promise<AliasState | undefined> {
  const [said] = await aliasesAt(tx, { ids: [model.id], aliases: [alias], seq })
  return said && versionStateAt(tx, dialect, { model, alias, version: said.version }, seq)
}

/** What an alias would say at that time if it pointed at this version. */
export async function versionStateAt(
  tx: Tx,
  dialect: SqlDialect,
  { model, alias, version }: AliasOf & { readonly version: number },
  seq: number,
): Promise<AliasState> {
  const [then] = await readPastVersions(tx, dialect, [{ modelId: model.id, name: model.name, version }], seq)
  const tags = then?.content?.tags ?? {}
  return {
    version,
    digest: then?.digest,
    modelConfig: tags[TAG.modelConfig],
    rollout: tags[rolloutTag(alias)],
    tags,
  }
}

/**
 * The other versions that the rollout of a past state names and that would not be served as they were then: registered
 * since, or with another model config. What was deleted since is served by nobody.
 */
export async function newInRollout(
  tx: Tx,
  dialect: SqlDialect,
  { model, alias }: AliasOf,
  { version: own, rollout }: AliasState,
  seq: number,
): Promise<readonly number[]> {
  if (rollout === undefined) return []
  const { rows } = await sql<{ version: number; is_new: number }>`
    select c.to_version as version, max(case when c.kind = 'version.registered' then 1 else 0 end) as is_new
    from changes c join versions v on v.model_id = c.model_id and v.version = c.to_version and v.deleted_at is null
    where c.model_id = ${model.id} and ${isVersionState()} and c.kind in ('version.registered', 'config.edited')
      and c.seq > ${seq}
    group by c.to_version order by c.to_version`.execute(tx)
  const found: number[] = []
  for (const { version, is_new } of rows) {
    if (version === own || !rolloutNames(rollout, version)) continue
    const digestAt = async (when: number) =>
      (await versionStateAt(tx, dialect, { model, alias, version }, when)).digest
    if (is_new === 1 || (await digestAt(seq)) !== (await digestAt(NOW))) found.push(version)
  }
  return found
}

type Row = Pick<Selectable<ChangeTable>, 'seq' | 'restores'>

/**
 * The newest row, up to one, that changed what an alias says: it was set, removed or pointed elsewhere, or the version
 * that it says got another rollout of this alias, or another model config. Moves to where it was already are left out.
 */
export async function lastChangeOf(
  tx: Tx,
  { model, alias }: AliasOf,
  upTo: number,
): Promise<Row | undefined> {
  const moved = await sql<Row & Pick<Selectable<ChangeTable>, 'to_version'>>`
    select c.seq, c.restores, c.to_version from changes c
    where c.model_id = ${model.id} and c.alias = ${alias} and ${isAliasState()} and c.seq <= ${upTo}
      and c.from_version is distinct from c.to_version
    order by c.seq desc limit 1`.execute(tx)
  const [state] = moved.rows
  if (!state || state.to_version === null) return state
  const edited = await sql<Row>`
    select c.seq, c.restores from changes c
    where c.model_id = ${model.id} and c.to_version = ${state.to_version} and ${isVersionState()}
      and (c.kind = 'config.edited' or (c.kind = 'rollout.changed' and c.alias = ${alias}))
      and c.seq > ${state.seq} and c.seq <= ${upTo}
    order by c.seq desc limit 1`.execute(tx)
  return edited.rows[0] ?? state
}

/** The most rows that one rollback writes: what the version has to be again, then the alias. */
const MOST_ROWS = 3

/**
 * All rows of the rollback that a row belongs to, oldest first: edits of the version, and last the row of the alias. Only
 * together they are a state that anybody ever saw. A row that no rollback wrote is alone.
 */
export async function rowsOfRollback(
  tx: Tx,
  { model }: AliasOf,
  seq: number,
): Promise<readonly [Selectable<ChangeTable>, ...Selectable<ChangeTable>[]]> {
  const rows = await tx
    .selectFrom('changes')
    .selectAll()
    .where('seq', '>', seq - MOST_ROWS)
    .where('seq', '<', seq + MOST_ROWS)
    .orderBy('seq')
    .execute()
  const at = rows.findIndex((row) => row.seq === seq)
  const row = rows[at] as Selectable<ChangeTable>
  const belongs = (other: Selectable<ChangeTable> | undefined) =>
    other !== undefined && other.model_id === model.id && other.restores === row.restores
  if (row.restores === null) return [row]
  let end = at
  while (isEdit(rows[end]) && belongs(rows[end + 1])) end++
  let start = at
  while (isEdit(rows[start - 1]) && belongs(rows[start - 1])) start--
  return [rows[start] ?? row, ...rows.slice(start + 1, end + 1)]
}

const isEdit = (row: Selectable<ChangeTable> | undefined) =>
  row?.kind === 'config.edited' || row?.kind === 'rollout.changed'
