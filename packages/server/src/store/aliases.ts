import {
  type Change,
  Conflict,
  InvalidInput,
  PromptNotFound,
  RegistryError,
} from '@promptkeep/client/protocol'
import { prepared } from '@promptkeep/sql'
import { sql } from 'kysely'
import { appendChange, changeOfRequest, lockLog } from './changes.ts'
import type { StoreContext } from './context.ts'
import { guard } from './guard.ts'
import { type LockedModel, requireModel } from './model-rows.ts'
import { setRollout } from './rollout.ts'
import type { Tx } from './schema.ts'
import { createSeenVersions } from './seen-versions.ts'
import type { AliasMove, AliasStore, Author, ModelVersion } from './store.ts'
import { lockVersion, toVersion, type VersionRow, versionColumns } from './version-rows.ts'

/** Movable names of versions. */
export function createAliasStore(context: StoreContext): AliasStore {
  const { db, dialect, now, write } = context
  const seen = createSeenVersions(context.stamp)

  async function find(name: string, alias: string): Promise<ModelVersion | undefined> {
    const isLatest = alias.toLowerCase() === 'latest'
    const [row] = isLatest ? await newestVersion(db, { name }) : await versionOf(db, { name, alias })
    if (!row) throw new PromptNotFound(name)
    if (row.version !== null) return toVersion(row)
    if (!isLatest) return undefined
    throw new RegistryError('VERSION_NOT_FOUND', `Latest version not found for model ${name}.`)
  }

  return {
    async find(name, alias) {
      return seen.get(name, alias) ?? seen.keep(name, alias, () => find(name, alias))
    },

    move: (move) =>
      write(async (tx) => {
        const { name, alias, to } = move
        await lockLog(tx, dialect)
        const { id: modelId } = await requireModel(tx, name)
        const made = await madeBefore(tx, modelId, move)
        if (made) return made
        const { digest } = await lockVersion(tx, name, to)
        const from = await currentVersion(tx, modelId, alias)
        requireExpected(move, from)
        const model = { id: modelId, name }
        const change = { kind: 'move', model, alias, from, to: { version: to, digest } } as const
        const permit = await guard(tx, context, change, move)
        return pointAlias(tx, { model, alias, from, to, digest, at: now() }, { ...move, ...permit })
      }),

    setRollout: (wanted) => setRollout(context, wanted),

    remove: (name, alias, { expected, ...author }) =>
      write(async (tx) => {
        await lockLog(tx, dialect)
        const { id } = await requireModel(tx, name)
        const model = { id, name }
        const from = await currentVersion(tx, id, alias)
        requireExpected({ name, alias, expected }, from)
        if (from === undefined) return
        const { forced } = await guard(tx, context, { kind: 'remove', model, alias, from }, author)
        const marked = new Set(forced ? [alias] : [])
        await removeAliases(tx, { model, alias, at: now(), forced: marked }, author)
      }),
  }
}

/** @throws {InvalidInput} when another move had this id: its answer would be the wrong one */
async function madeBefore(
  tx: Tx,
  modelId: number,
  { alias, to, requestId, actor }: AliasMove,
): Promise<Change | undefined> {
  const made = requestId === undefined ? undefined : await changeOfRequest(tx, modelId, requestId)
  if (!made) return undefined
  const isMove = made.kind === 'alias.moved' && made.restores === undefined
  if (isMove && made.alias === alias && made.to === to && made.actor === actor) return made
  const what = isMove ? `to point the alias ${made.alias} at version ${made.to}` : `for change ${made.seq}`
  const by = made.actor === actor ? '' : ` by ${made.actor}`
  throw new InvalidInput(
    `request_id ${JSON.stringify(requestId)} was used before${by}, ${what}; a request that points ${alias} at version ` +
      `${to} needs an id of its own.`,
  )
}

/** Without such a version its columns are null. */
type Found = VersionRow | { readonly version: null }

const newestVersion = prepared<{ name: string }, Found>(
  (of, dialect) => sql`
    select ${versionColumns(dialect)} from models m
    left join versions v on v.model_id = m.id and v.version = (
      select max(version) from versions where model_id = m.id and deleted_at is null)
    where m.name = ${of('name')}`,
)

const versionOf = prepared<{ name: string; alias: string }, Found>(
  (of, dialect) => sql`
    select ${versionColumns(dialect)} from models m
    left join aliases wanted on wanted.model_id = m.id and wanted.alias = ${of('alias')}
    left join versions v on v.model_id = m.id and v.version = wanted.version
    where m.name = ${of('name')}`,
)

/** @throws {Conflict} when a compare-and-set loses */
export function requireExpected(
  { name, alias, expected }: Pick<AliasMove, 'name' | 'alias' | 'expected'>,
  current: number | undefined,
): void {
  if (expected === undefined || expected === (current ?? null)) return
  throw new Conflict(
    `The alias ${alias} of ${name} is ${current === undefined ? 'not set' : `at version ${current}`}, ` +
      `not ${expected === null ? 'unset' : `at version ${expected}`} as the caller expected.`,
    current ?? null,
  )
}

/** The version that an alias says now. */
export async function currentVersion(tx: Tx, modelId: number, alias: string): Promise<number | undefined> {
  const [row] = await readAlias(tx, { modelId, alias })
  return row?.version
}

const readAlias = prepared<{ modelId: number; alias: string }, { version: number }>(
  (of) => sql`select version from aliases where model_id = ${of('modelId')} and alias = ${of('alias')}`,
)

export interface Pointing {
  readonly model: Pick<LockedModel, 'id' | 'name'>
  readonly alias: string
  readonly from: number | undefined
  readonly to: number
  readonly digest: string | null
  readonly at: number
}

/** Who points it, and what the guard says of it. */
export type Pointer = Pick<Author, 'actor' | 'reason' | 'evidence'> &
  Pick<AliasMove, 'requestId'> & { readonly forced?: boolean; readonly restores?: number }

const writeAlias = prepared<{ modelId: number; alias: string; version: number }, unknown>(
  (of) => sql`
    insert into aliases (model_id, alias, version) values (${of('modelId')}, ${of('alias')}, ${of('version')})
    on conflict (model_id, alias) do update set version = excluded.version`,
)

/** Points an alias and logs it. A move to where it already is is logged too: somebody decided it again. */
export async function pointAlias(
  tx: Tx,
  { model, alias, from, to, digest, at }: Pointing,
  { actor, reason, evidence, requestId, restores, forced = false }: Pointer,
): Promise<Change> {
  await writeAlias(tx, { modelId: model.id, alias, version: to })
  return appendChange(
    tx,
    {
      modelId: model.id,
      kind: 'alias.moved',
      prompt: model.name,
      alias,
      ...(from !== undefined && { from }),
      to,
      ...(digest !== null && { digest }),
      ...(evidence !== undefined && { evidence }),
      ...(forced && { forced }),
      ...(restores !== undefined && { restores }),
      requestId,
      at,
    },
    { actor, reason },
  )
}

export interface Removal {
  readonly model: Pick<LockedModel, 'id' | 'name'>
  /** One alias by name, or all that point at one version. */
  readonly alias?: string
  readonly version?: number
  readonly at: number
  /** Those that go against their policy. */
  readonly forced?: ReadonlySet<string>
}

/** Removes aliases, each as a change of its own. */
export async function removeAliases(
  tx: Tx,
  { model, alias, version, at, forced }: Removal,
  author: Author,
): Promise<void> {
  const rows = await tx
    .selectFrom('aliases')
    .innerJoin('versions', (join) =>
      join
        .onRef('versions.model_id', '=', 'aliases.model_id')
        .onRef('versions.version', '=', 'aliases.version'),
    )
    .select(['aliases.alias', 'aliases.version', 'versions.digest'])
    .where('aliases.model_id', '=', model.id)
    .$if(alias !== undefined, (query) => query.where('aliases.alias', '=', alias ?? ''))
    .$if(version !== undefined, (query) => query.where('aliases.version', '=', version ?? 0))
    .orderBy('aliases.alias')
    .execute()
  for (const row of rows) {
    await tx.deleteFrom('aliases').where('model_id', '=', model.id).where('alias', '=', row.alias).execute()
    await appendChange(
      tx,
      {
        modelId: model.id,
        kind: 'alias.removed',
        prompt: model.name,
        alias: row.alias,
        from: row.version,
        ...(row.digest !== null && { digest: row.digest }),
        ...(forced?.has(row.alias) && { forced: true }),
        at,
      },
      author,
    )
  }
}
