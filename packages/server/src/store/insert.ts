import { type Change, InvalidInput, TAG } from '@promptkeep/client/protocol'
import { prepared } from '@promptkeep/sql'
import { type Selectable, sql } from 'kysely'
import { appendChange, beforeAndAfter } from './changes.ts'
import { rolloutAlias } from './content-tags.ts'
import { nextNumber } from './counters.ts'
import { type LockedModel, lockModel } from './model-rows.ts'
import { kindOf, nameTaken } from './name-taken.ts'
import type { Tx, VersionTable } from './schema.ts'
import { type Author, MAX_REQUEST_ID, type ModelVersion, type Tags, type VersionDraft } from './store.ts'
import { insertTags, readTag } from './tags.ts'

/** Of every new version. */
export const FIRST_STAGE = 'None'

export interface ModelDraft {
  readonly name: string
  readonly description: string
  readonly tags: Tags
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** @throws {RegistryError} `CONFLICT` when the name is taken, by either kind */
export async function insertModel(tx: Tx, draft: ModelDraft): Promise<LockedModel> {
  const { name, description, tags, at } = draft
  const id = await nextNumber(tx, 'model')
  const inserted = await tx
    .insertInto('models')
    .values({ id, name, description, created_at: at, updated_at: at, last_version: 0 })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (!inserted) {
    const existing = await lockModel(tx, name)
    throw nameTaken(name, kindOf(tags[TAG.isPrompt]), await readKind(tx, existing?.id ?? 0))
  }
  await insertTags(tx, { table: 'model_tags', columns: { model_id: id } }, tags)
  return { id, name, lastVersion: 0 }
}

/** Which of the two a registered model is. */
export const readKind = async (tx: Tx, modelId: number) =>
  kindOf(await readTag(tx, { table: 'model_tags', columns: { model_id: modelId } }, TAG.isPrompt))

/**
 * Appends a version to a model that this transaction has locked, and logs it, with the rollouts that come as its tags.
 * @returns Its number, itself as a look-up answers it, and the change that registered it.
 */
export async function insertVersion(
  tx: Tx,
  model: LockedModel,
  draft: Omit<VersionDraft, 'name'> & { readonly at: number; readonly forced?: boolean },
  author: Author,
): Promise<{ version: number; made: ModelVersion; change: Change }> {
  const { tags, digest, at, forced = false } = draft
  const version = model.lastVersion + 1
  await countVersion(tx, { id: model.id, version, at })
  await writeVersion(tx, {
    model_id: model.id,
    version,
    description: draft.description,
    source: draft.source,
    run_id: draft.runId,
    run_link: draft.runLink,
    stage: FIRST_STAGE,
    created_at: at,
    updated_at: at,
    digest: digest ?? null,
    request_id: requestIdOf(tags),
  })
  await insertTags(tx, { table: 'version_tags', columns: { model_id: model.id, version } }, tags)
  const change = await appendChange(
    tx,
    {
      modelId: model.id,
      kind: 'version.registered',
      prompt: model.name,
      to: version,
      ...(digest !== undefined && { digest }),
      ...(forced && { forced }),
      at,
    },
    author,
  )
  for (const [key, value] of Object.entries(tags)) {
    const alias = rolloutAlias(key)
    if (alias === undefined) continue
    const evidence = beforeAndAfter(null, value)
    await appendChange(tx, { ...change, modelId: model.id, kind: 'rollout.changed', alias, evidence }, author)
  }
  const { name } = model
  const { description, source, runId, runLink } = draft
  const made = { name, version, description, source, runId, runLink, stage: FIRST_STAGE, tags, aliases: [] }
  return { version, made: { ...made, createdAt: at, updatedAt: at }, change }
}

const countVersion = prepared<{ id: number; version: number; at: number }, unknown>(
  (of) => sql`
    update models set last_version = ${of('version')}, updated_at = ${of('at')} where id = ${of('id')}`,
)

const writeVersion = prepared<Omit<Selectable<VersionTable>, 'deleted_at'>, unknown>(
  (of) => sql`
    insert into versions (model_id, version, description, source, run_id, run_link, stage, created_at, updated_at,
      digest, request_id)
    values (${of('model_id')}, ${of('version')}, ${of('description')}, ${of('source')}, ${of('run_id')},
      ${of('run_link')}, ${of('stage')}, ${of('created_at')}, ${of('updated_at')}, ${of('digest')},
      ${of('request_id')})`,
)

/** An empty request id is none: it would make every such create the same request. @throws {InvalidInput} */
export function requestIdOf(tags: Tags): string | null {
  const id = tags[TAG.requestId] ?? ''
  if (id.length > MAX_REQUEST_ID)
    throw new InvalidInput(
      `Tag ${TAG.requestId} may have at most ${MAX_REQUEST_ID} characters; this one has ${id.length}.`,
    )
  return id === '' ? null : id
}
