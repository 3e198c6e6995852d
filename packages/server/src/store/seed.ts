import { TAG } from '@promptkeep/client/protocol'
import { currentVersion, pointAlias } from './aliases.ts'
import { lockLog } from './changes.ts'
import type { StoreContext } from './context.ts'
import { guard } from './guard.ts'
import { insertModel, insertVersion, readKind } from './insert.ts'
import { type LockedModel, lockModel } from './model-rows.ts'
import { nameTaken } from './name-taken.ts'
import type { Tx } from './schema.ts'
import type { Author, SeedDraft, SeedOutcome } from './store.ts'
import { readTag } from './tags.ts'

/** See `PromptStore.seed`. The log's lock makes concurrent seedings of one prompt take turns. */
export function seedPrompt(context: StoreContext, draft: SeedDraft, author: Author): Promise<SeedOutcome> {
  const { dialect, now, write } = context
  return write(async (tx) => {
    await lockLog(tx, dialect)
    const at = now()
    const existing = await lockModel(tx, draft.name)
    if (!existing) {
      const { name, description, promptTags: tags } = draft
      const model = await insertModel(tx, { name, description, tags, at })
      return finish(context, tx, model, { draft, outcome: 'seeded', version: undefined, at }, author)
    }
    const kind = await readKind(tx, existing.id)
    if (kind !== 'prompt') throw nameTaken(draft.name, 'prompt', kind)
    const half = await halfSeeded(tx, existing, draft)
    return half
      ? finish(context, tx, existing, { draft, outcome: 'healed', version: half.version, at }, author)
      : { outcome: 'skipped', ...(await currentOf(tx, existing.id, draft.alias)) }
  })
}

interface Finish {
  readonly draft: SeedDraft
  readonly outcome: 'seeded' | 'healed'
  /** The version that an earlier seeding left without its alias. */
  readonly version: number | undefined
  readonly at: number
}

async function finish(
  context: StoreContext,
  tx: Tx,
  model: LockedModel,
  { draft, outcome, version, at }: Finish,
  author: Author,
): Promise<SeedOutcome> {
  const { alias, digest, commitMessage: description, versionTags: tags } = draft
  const content = { source: 'dummy-source', runId: '', runLink: '', description, tags, digest, at }
  const to = version ?? (await insertVersion(tx, model, content, author)).version
  // Only a new name has nothing that a policy could protect. Else deleting and seeding were a move, and so were making the
  // prompt, or its version, look as if a seeding had stopped half-way.
  if (outcome === 'healed' || (await hasPast(tx, model)))
    await guard(tx, context, { kind: 'move', model, alias, to: { version: to, digest } }, author)
  await pointAlias(tx, { model, alias, from: undefined, to, digest, at }, author)
  return { outcome, current: { version: to, digest } }
}

/** Whether the log knows the name from an earlier prompt. */
async function hasPast(tx: Tx, { id, name }: LockedModel): Promise<boolean> {
  const row = await tx
    .selectFrom('changes')
    .select('seq')
    .where((eb) => eb.or([eb('prompt', '=', name), eb('new_name', '=', name)]))
    .where('model_id', '!=', id)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/**
 * What an interrupted seeding (of this server, or of a client of stock MLflow whose data came here) leaves behind:
 * no version ever, or the seeded one that never had an alias. Everything else is somebody's doing and stays.
 */
async function halfSeeded(
  tx: Tx,
  { id, lastVersion }: LockedModel,
  { digest }: SeedDraft,
): Promise<{ readonly version: number | undefined } | undefined> {
  if (lastVersion === 0) return { version: undefined }
  const versions = await tx
    .selectFrom('versions')
    .select(['version', 'digest', 'deleted_at'])
    .where('model_id', '=', id)
    .limit(2)
    .execute()
  const [only] = versions
  if (!only || versions.length > 1 || only.deleted_at !== null || only.digest !== digest) return undefined
  const owner = { table: 'version_tags', columns: { model_id: id, version: only.version } } as const
  if ((await readTag(tx, owner, TAG.seeded)) === undefined) return undefined
  const move = await tx
    .selectFrom('changes')
    .select('seq')
    .where('model_id', '=', id)
    .where('kind', '=', 'alias.moved')
    .limit(1)
    .executeTakeFirst()
  return move ? undefined : { version: only.version }
}

async function currentOf(tx: Tx, modelId: number, alias: string): Promise<Pick<SeedOutcome, 'current'>> {
  const version = await currentVersion(tx, modelId, alias)
  if (version === undefined) return {}
  const row = await tx
    .selectFrom('versions')
    .select('digest')
    .where('model_id', '=', modelId)
    .where('version', '=', version)
    .executeTakeFirst()
  // A version without a digest is no prompt's: there is nothing to compare a default with.
  return row?.digest ? { current: { version, digest: row.digest } } : {}
}
