import { type Change, Conflict, InvalidInput, RegistryError, TAG } from '@promptkeep/client/protocol'
import {
  type AliasOf,
  type AliasState,
  aliasStateAt,
  lastChangeOf,
  NOW,
  newInRollout,
  rowsOfRollback,
  versionStateAt,
} from './alias-past.ts'
import { pointAlias, requireExpected } from './aliases.ts'
import { toChange } from './change-row.ts'
import { appendChange, beforeAndAfter, changeOfRequest, lockLog } from './changes.ts'
import { rolloutTag } from './content-tags.ts'
import type { StoreContext } from './context.ts'
import { aliasesOf, guard, guardAliases } from './guard.ts'
import { versionsOf } from './guard-texts.ts'
import { requireModel } from './model-rows.ts'
import type { Tx } from './schema.ts'
import type { Rollback } from './store.ts'
import { putTag, removeTag } from './tags.ts'

/**
 * See `HistoryStore.rollback`. The last change that it logs is that of the alias, also where only the rollout or the
 * model config of its version comes back: it tells which alias was rolled back, it has the id of the request, and who
 * reads the log up to there finds all in place.
 */
export function rollback(context: StoreContext, wanted: Rollback): Promise<readonly Change[]> {
  const { dialect, write } = context
  return write(async (tx) => {
    await lockLog(tx, dialect)
    const { id } = await requireModel(tx, wanted.name)
    const subject: AliasOf = { model: { id, name: wanted.name }, alias: wanted.alias }
    const made = await madeBefore(tx, subject, wanted)
    if (made) return made
    const current = await aliasStateAt(tx, dialect, subject, NOW)
    requireExpected(wanted, current?.version)
    const target = await targetOf(tx, subject, wanted.toSeq)
    const past = await aliasStateAt(tx, dialect, subject, target.seq)
    const unproven = past ? await newInRollout(tx, dialect, subject, past, target.seq) : []
    return bringBack(tx, context, { subject, wanted, current, past, unproven, restores: target.restores })
  })
}

/** @throws {InvalidInput} when another request had this id: its answer would be the wrong one */
async function madeBefore(
  tx: Tx,
  subject: AliasOf,
  { alias, toSeq, requestId, actor }: Rollback,
): Promise<readonly Change[] | undefined> {
  if (requestId === undefined) return undefined
  const made = await changeOfRequest(tx, subject.model.id, requestId)
  if (made?.seq === undefined) return undefined
  const isIt =
    made.restores !== undefined && made.alias === alias && (toSeq ?? made.restores) === made.restores
  const by = made.actor === actor ? '' : ` by ${made.actor}`
  if (!isIt || by !== '')
    throw new InvalidInput(
      `request_id ${JSON.stringify(requestId)} was used before${by}, for change ${made.seq}, which is not this rollback; ` +
        'another request needs an id of its own.',
    )
  return (await rowsOfRollback(tx, subject, made.seq)).map(toChange)
}

interface Target {
  /** What was true right after this row comes back. */
  readonly seq: number
  /** The row that is named for it. */
  readonly restores: number
}

async function targetOf(tx: Tx, subject: AliasOf, toSeq: number | undefined): Promise<Target> {
  if (toSeq !== undefined) {
    await requireRowOf(tx, subject, toSeq)
    const rows = await rowsOfRollback(tx, subject, toSeq)
    return { seq: rows.at(-1)?.seq ?? toSeq, restores: toSeq }
  }
  const { model, alias } = subject
  const last = await lastChangeOf(tx, subject, NOW)
  if (!last)
    throw new InvalidInput(
      `The alias ${alias} of ${model.name} was never set: there is nothing to roll back.`,
    )
  const [{ seq: start }] = await rowsOfRollback(tx, subject, last.seq)
  const before = await lastChangeOf(tx, subject, start - 1)
  return { seq: start - 1, restores: before?.seq ?? (await rowBefore(tx, subject, start)) }
}

/** Of the same prompt. There is one: the version that the alias was pointed at had been registered. */
async function rowBefore(tx: Tx, { model }: AliasOf, seq: number): Promise<number> {
  const row = await tx
    .selectFrom('changes')
    .select('seq')
    .where('model_id', '=', model.id)
    .where('seq', '<', seq)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow()
  return row.seq
}

/** @throws {InvalidInput} unless the row speaks of this prompt */
async function requireRowOf(tx: Tx, { model }: AliasOf, seq: number): Promise<void> {
  const row = await tx
    .selectFrom('changes')
    .select(['model_id', 'prompt', 'new_name'])
    .where('seq', '=', seq)
    .executeTakeFirst()
  if (row?.model_id === model.id) return
  const what =
    row === undefined
      ? 'which the log does not have'
      : row.prompt === model.name || row.new_name === model.name
        ? `which is of another prompt that had the name ${model.name}: versions of one cannot be brought back to the other`
        : `which is of the prompt ${row.prompt}`
  throw new InvalidInput(`to_seq must be the number of a change of ${model.name}; got ${seq}, ${what}.`)
}

interface Restoring {
  readonly subject: AliasOf
  readonly wanted: Rollback
  readonly current: AliasState | undefined
  readonly past: AliasState | undefined
  /** Versions that the rollout of then would serve and that never were in force like that. */
  readonly unproven: readonly number[]
  readonly restores: number
}

async function bringBack(tx: Tx, context: StoreContext, restoring: Restoring): Promise<readonly Change[]> {
  const { subject, wanted, current, past, unproven, restores } = restoring
  const { model, alias } = subject
  const at = context.now()
  const from = current?.version
  if (!past) {
    if (from === undefined) throw nothingToDo(restoring)
    const permit = await guard(tx, context, { kind: 'rollback', model, alias, from }, wanted)
    return [await unset(tx, { ...restoring, from, digest: current?.digest, at, forced: permit.forced })]
  }
  await requireLive(tx, subject, past.version)
  const { dialect } = context
  const version = await versionStateAt(tx, dialect, { model, alias, version: past.version }, NOW)
  const isEdited = version.modelConfig !== past.modelConfig
  const isSplit = version.rollout !== past.rollout
  if (from === past.version && !isEdited && !isSplit) throw nothingToDo(restoring)
  if (isEdited && !context.allowModelConfigEdit) throw editedSince(restoring)

  const to = { version: past.version, digest: past.digest ?? null }
  const permit = await guard(tx, context, { kind: 'rollback', model, alias, from, to, unproven }, wanted)
  if (unproven.length > 0 && wanted.force !== true) throw servesOthers(restoring)
  // Its other aliases serve the same version: for them this is an edit like every other.
  const others = isEdited ? (await aliasesOf(tx, model.id, to.version)).filter((one) => one !== alias) : []
  const overruled = await guardAliases(tx, context, { kind: 'config', model, aliases: others }, wanted)
  const forced = permit.forced || overruled.size > 0

  const changes: Change[] = []
  const row = {
    modelId: model.id,
    prompt: model.name,
    to: to.version,
    ...(past.digest !== undefined && { digest: past.digest }),
    ...(forced && { forced }),
    restores,
    at,
  }
  if (isEdited) {
    await writeConfig(tx, model.id, version, past)
    const evidence = beforeAndAfter(version.modelConfig ?? null, past.modelConfig ?? null)
    changes.push(await appendChange(tx, { ...row, kind: 'config.edited', evidence }, wanted))
  }
  if (isSplit) {
    await writeTag(tx, { model_id: model.id, version: to.version }, rolloutTag(alias), past.rollout)
    const evidence = beforeAndAfter(version.rollout ?? null, past.rollout ?? null)
    changes.push(await appendChange(tx, { ...row, kind: 'rollout.changed', alias, evidence }, wanted))
  }
  const { actor, reason, requestId } = wanted
  const pointing = { model, alias, from, to: to.version, digest: to.digest, at }
  return [...changes, await pointAlias(tx, pointing, { actor, reason, requestId, restores, forced })]
}

async function unset(
  tx: Tx,
  {
    subject: { model, alias },
    wanted,
    restores,
    from,
    digest,
    at,
    forced,
  }: Restoring & { from: number; digest: string | undefined; at: number; forced: boolean },
): Promise<Change> {
  await tx.deleteFrom('aliases').where('model_id', '=', model.id).where('alias', '=', alias).execute()
  return appendChange(
    tx,
    {
      modelId: model.id,
      kind: 'alias.removed',
      prompt: model.name,
      alias,
      from,
      ...(digest !== undefined && { digest }),
      ...(forced && { forced }),
      requestId: wanted.requestId,
      restores,
      at,
    },
    wanted,
  )
}

/** Its digest of that time is in the log: nothing has to be computed, and the two always belong together. */
async function writeConfig(tx: Tx, modelId: number, now: AliasState, past: AliasState): Promise<void> {
  const key = { model_id: modelId, version: now.version }
  await writeTag(tx, key, TAG.modelConfig, past.modelConfig)
  if (TAG.digest in now.tags) await writeTag(tx, key, TAG.digest, past.digest)
  await tx
    .updateTable('versions')
    .set({ digest: past.digest ?? null })
    .where('model_id', '=', modelId)
    .where('version', '=', now.version)
    .execute()
}

function writeTag(
  tx: Tx,
  columns: { readonly model_id: number; readonly version: number },
  key: string,
  value: string | undefined,
): Promise<void> {
  const owner = { table: 'version_tags', columns } as const
  return value === undefined ? removeTag(tx, owner, key) : putTag(tx, owner, key, value)
}

/** @throws {RegistryError} `VERSION_NOT_FOUND` when it was deleted since */
async function requireLive(tx: Tx, { model, alias }: AliasOf, version: number): Promise<void> {
  const row = await tx
    .selectFrom('versions')
    .select('deleted_at')
    .where('model_id', '=', model.id)
    .where('version', '=', version)
    .executeTakeFirst()
  if (row?.deleted_at === null) return
  throw new RegistryError(
    'VERSION_NOT_FOUND',
    `Version ${version} of ${model.name}, which the alias ${alias} said then, was deleted since: it cannot be brought ` +
      'back. Name an earlier change, or register its text as a new version.',
  )
}

function nothingToDo({ subject: { model, alias }, current, restores }: Restoring): Conflict {
  const says = current ? `is at version ${current.version}` : 'is not set'
  return new Conflict(
    `The alias ${alias} of ${model.name} ${says}, with the same content and rollout as after change ${restores}: there ` +
      'is nothing to roll back.',
    current?.version ?? null,
  )
}

const servesOthers = ({ subject: { model, alias }, current, past, unproven }: Restoring) =>
  new Conflict(
    `The rollout that the alias ${alias} of ${model.name} had then would also serve ${versionsOf(unproven)}, which ` +
      'did not say then what it says now: registered since, or with another model config. That was never in force. Name ' +
      `another change, point the alias at version ${past?.version} by a move, or force the rollback as an admin.`,
    current?.version ?? null,
  )

const editedSince = ({ subject: { model, alias }, current, past }: Restoring) =>
  new Conflict(
    `The model config of version ${past?.version} of ${model.name}, which the alias ${alias} said then, was edited ` +
      'since, and this server does not allow such edits any more: it would serve another content than it did. Register ' +
      'a new version with those settings, or start the server with --allow-model-config-edit.',
    current?.version ?? null,
  )
