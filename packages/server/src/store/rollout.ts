import {
  type Change,
  checkMessages,
  contentFromTags,
  hasCode,
  InvalidInput,
  isEmptyTemplate,
  mainVersion,
  RegistryError,
  type Weights,
  writeRollout,
} from '@promptkeep/client/protocol'
import { currentVersion, pointAlias, requireExpected } from './aliases.ts'
import { toChange } from './change-row.ts'
import { appendChange, beforeAndAfter, changeOfRequest, lockLog } from './changes.ts'
import { rolloutTag } from './content-tags.ts'
import type { StoreContext } from './context.ts'
import { guard } from './guard.ts'
import { type LockedModel, requireModel } from './model-rows.ts'
import type { Tx } from './schema.ts'
import type { Rollout } from './store.ts'
import { putTag, readTag, removeTag, type TagOwner } from './tags.ts'
import { type LockedVersion, lockVersion, readVersion } from './version-rows.ts'

/**
 * See `AliasStore.setRollout`. Its rows, each where it has something to change: the weights on the version that the alias
 * will point at, the move of the alias, and that the version which it leaves has no weights any more: they would be in
 * force again with the next move there. That comes last, so that a rollback of the move finds them.
 */
export function setRollout(context: StoreContext, wanted: Rollout): Promise<readonly Change[]> {
  const { dialect, now, write } = context
  return write(async (tx) => {
    const { name, alias, weights, requestId } = wanted
    await lockLog(tx, dialect)
    const model = await requireModel(tx, name)
    const made = await madeBefore(tx, model, wanted)
    if (made) return made
    const from = await currentVersion(tx, model.id, alias)
    requireExpected(wanted, from)
    const main = await lockAll(tx, name, weights, mainVersion(weights, from))

    const key = rolloutTag(alias)
    const isMoved = from !== main.version
    const before = await readTag(tx, ownerOf(main), key)
    const after = writeRollout(weights, main.version)
    if (!isMoved && before === after) return []
    // What is judged below is the alias as it will be.
    if (before !== after) await writeTag(tx, ownerOf(main), key, after)
    const subject = { model, alias, from }
    const isSplit = after !== undefined || !isMoved
    const permits = [
      ...(isSplit ? [await guard(tx, context, { ...subject, kind: 'rollout' }, wanted)] : []),
      ...(isMoved ? [await guard(tx, context, { ...subject, kind: 'move', to: main }, wanted)] : []),
    ]
    const forced = permits.some((permit) => permit.forced)
    const evidence = permits.at(-1)?.evidence
    const at = now()

    const changes: Change[] = []
    const row = { modelId: model.id, kind: 'rollout.changed', prompt: model.name, alias, at } as const
    if (before !== after)
      changes.push(
        await appendChange(
          tx,
          {
            ...row,
            ...told(main),
            evidence: beforeAndAfter(before ?? null, after ?? null),
            forced,
            requestId,
          },
          wanted,
        ),
      )
    if (!isMoved) return changes
    const { actor, reason } = wanted
    const pointer = { actor, reason, evidence, forced, ...(changes.length === 0 && { requestId }) }
    const { version: to, digest } = main
    changes.push(await pointAlias(tx, { ...subject, to, digest, at }, pointer))
    if (from === undefined) return changes
    const left = await lockVersion(tx, name, from)
    const stale = await readTag(tx, ownerOf(left), key)
    if (stale === undefined) return changes
    await removeTag(tx, ownerOf(left), key)
    const removed = { ...row, ...told(left), evidence: beforeAndAfter(stale, null) }
    return [...changes, await appendChange(tx, removed, wanted)]
  })
}

const told = ({ version, digest }: LockedVersion) => ({ to: version, ...(digest !== null && { digest }) })

const ownerOf = ({ modelId, version }: LockedVersion): TagOwner => ({
  table: 'version_tags',
  columns: { model_id: modelId, version },
})

const writeTag = (tx: Tx, owner: TagOwner, key: string, value: string | undefined) =>
  value === undefined ? removeTag(tx, owner, key) : putTag(tx, owner, key, value)

/** @returns the main one @throws {VersionNotFound} @throws {InvalidInput} for one that has no text to serve */
async function lockAll(tx: Tx, name: string, weights: Weights, main: number): Promise<LockedVersion> {
  for (const version of [...weights.keys()].sort((a, b) => a - b)) {
    await requireVersion(tx, name, version)
    const { tags } = await readVersion(tx, name, version)
    requireText(name, version, tags)
  }
  return lockVersion(tx, name, main)
}

/** Several are named in one request: the refusal says which one is not there. */
async function requireVersion(tx: Tx, name: string, version: number): Promise<void> {
  try {
    await lockVersion(tx, name, version)
  } catch (error) {
    if (!hasCode(error, 'VERSION_NOT_FOUND')) throw error
    throw new RegistryError(
      'VERSION_NOT_FOUND',
      `Version ${version} of ${name} is not there, or was deleted: it cannot be served.`,
    )
  }
}

function requireText(name: string, version: number, tags: Readonly<Record<string, string>>): void {
  let isEmpty: boolean
  try {
    isEmpty = isEmptyTemplate(contentFromTags(tags, checkMessages).template)
  } catch (error) {
    throw new InvalidInput(`Version ${version} of ${name} ${(error as Error).message}: it cannot be served.`)
  }
  if (isEmpty)
    throw new InvalidInput(`Version ${version} of ${name} has no text: whoever got it would fall back.`)
}

/**
 * Its id is on the first row, and what comes right after that is told by what it says: by one request an alias leaves a
 * version once, and only then does that version lose its weights.
 * @throws {InvalidInput} when another request had this id: its answer would be the wrong one
 */
async function madeBefore(tx: Tx, model: LockedModel, wanted: Rollout): Promise<Change[] | undefined> {
  const { alias, weights, requestId, actor } = wanted
  const first = requestId === undefined ? undefined : await changeOfRequest(tx, model.id, requestId)
  if (first?.seq === undefined) return undefined
  const { seq, to = 0 } = first
  const isIt =
    (first.kind === 'rollout.changed'
      ? parsed(first.evidence).after === (writeRollout(weights, to) ?? null)
      : first.kind === 'alias.moved') &&
    first.restores === undefined &&
    first.alias === alias &&
    weights.has(to)
  const by = first.actor === actor ? '' : ` by ${first.actor}`
  if (!isIt || by !== '')
    throw new InvalidInput(
      `request_id ${JSON.stringify(requestId)} was used before${by}, for change ${seq}, which is not this rollout; ` +
        'another request needs an id of its own.',
    )
  const rows = await tx
    .selectFrom('changes')
    .selectAll()
    .where('seq', '>', seq)
    .where('seq', '<=', seq + 2)
    .where('model_id', '=', model.id)
    .orderBy('seq')
    .execute()
  const changes = [first]
  for (const change of rows.map(toChange)) {
    const last = changes.at(-1) ?? first
    const isNext = change.seq === (last.seq ?? 0) + 1 && change.alias === alias && change.actor === actor
    const isMove = last.kind === 'rollout.changed' && change.kind === 'alias.moved' && change.to === to
    const isLeft = last.kind === 'alias.moved' && change.kind === 'rollout.changed' && change.to === last.from
    if (!isNext || !((isMove && change.from !== to) || (isLeft && parsed(change.evidence).after === null)))
      break
    changes.push(change)
  }
  return changes
}

const parsed = (evidence: string | undefined) =>
  JSON.parse(evidence ?? '{}') as { readonly before?: string | null; readonly after?: string | null }
