import { CONTENT_TAGS, TAG } from '@promptkeep/client/protocol'
import { digestOfTags } from '../prompt-digest.ts'
import { currentVersion } from './aliases.ts'
import { appendChange, beforeAndAfter, lockLog } from './changes.ts'
import { refuseConfigEdit, refuseContentChange, rolloutAlias, ruleOf } from './content-tags.ts'
import type { StoreContext } from './context.ts'
import { aliasesOf, guard, guardAliases } from './guard.ts'
import type { Tx } from './schema.ts'
import type { Author, VersionStore } from './store.ts'
import { putTag, readTag, removeTag, type TagOwner } from './tags.ts'
import { type LockedVersion, lockVersion, readVersion } from './version-rows.ts'

/** A config edit that meets another one between its reading and its writing is tried again, this often. */
const CONFIG_EDIT_ATTEMPTS = 5

/** Sets and deletes tags of existing versions; `undefined` as a value deletes. */
export function createVersionTagWriter(context: StoreContext): Pick<VersionStore, 'setTag' | 'deleteTag'> {
  const { db, dialect, now, allowModelConfigEdit, write: commit } = context

  async function write(
    name: string,
    version: number,
    key: string,
    value: string | undefined,
    author: Author,
  ) {
    if (ruleOf(key) === 'model config' && allowModelConfigEdit)
      return editModelConfig(name, version, value, author)
    await commit(async (tx) => {
      const alias = rolloutAlias(key)
      if (alias !== undefined) await lockLog(tx, dialect)
      const locked = await lockVersion(tx, name, version)
      const owner = ownerOf(locked)
      const before = await readTag(tx, owner, key)
      // The same again, or deleting what is not there, changes nothing, whatever the tag.
      if (before === value) return
      const rule = ruleOf(key)
      if (rule === 'fixed') throw refuseContentChange(key)
      if (rule === 'model config') throw refuseConfigEdit(name, version)
      const forced = alias !== undefined && (await overrulesPolicy(tx, locked, alias, author))
      await put(tx, owner, key, value)
      if (alias !== undefined)
        await appendChange(
          tx,
          {
            modelId: locked.modelId,
            kind: 'rollout.changed',
            prompt: name,
            alias,
            to: version,
            ...(locked.digest !== null && { digest: locked.digest }),
            evidence: beforeAndAfter(before ?? null, value ?? null),
            ...(forced && { forced }),
            at: now(),
          },
          author,
        )
    })
  }

  /** Weights count where the alias points: elsewhere they are only being prepared, and a move to them is judged. */
  async function overrulesPolicy(
    tx: Tx,
    { modelId: id, name, version }: LockedVersion,
    alias: string,
    author: Author,
  ): Promise<boolean> {
    const from = await currentVersion(tx, id, alias)
    if (from !== version) return false
    return (await guard(tx, context, { kind: 'rollout', model: { id, name }, alias, from }, author)).forced
  }

  /**
   * The digest is computed between a reading and the transaction, because nothing but the database is awaited
   * inside one; the transaction makes sure that the reading still holds.
   */
  async function editModelConfig(name: string, version: number, value: string | undefined, author: Author) {
    for (let attempt = 1; attempt <= CONFIG_EDIT_ATTEMPTS; attempt++) {
      const { tags } = await readVersion(db, name, version)
      const before = tags[TAG.modelConfig]
      if (before === value) return
      const { [TAG.modelConfig]: _, ...others } = tags
      const digest = await digestOfTags(
        value === undefined ? others : { ...others, [TAG.modelConfig]: value },
      )
      const done = await commit(async (tx) => {
        await lockLog(tx, dialect)
        const locked = await lockVersion(tx, name, version)
        const owner = ownerOf(locked)
        // Another edit, or another prompt: names and numbers are given again.
        const still = (await readVersion(tx, name, version)).tags
        if ([...CONTENT_TAGS].some((key) => still[key] !== tags[key])) return false
        const model = { id: locked.modelId, name }
        const aliases = await aliasesOf(tx, model.id, version)
        const forced = await guardAliases(tx, context, { kind: 'config', model, aliases }, author)
        await put(tx, owner, TAG.modelConfig, value)
        if (TAG.digest in still) await put(tx, owner, TAG.digest, digest)
        await tx
          .updateTable('versions')
          .set({ digest: digest ?? null })
          .where('model_id', '=', locked.modelId)
          .where('version', '=', version)
          .execute()
        await appendChange(
          tx,
          {
            modelId: locked.modelId,
            kind: 'config.edited',
            prompt: name,
            to: version,
            ...(digest !== undefined && { digest }),
            evidence: beforeAndAfter(before ?? null, value ?? null),
            ...(forced.size > 0 && { forced: true }),
            at: now(),
          },
          author,
        )
        return true
      })
      if (done) return
    }
    throw new Error(`The model config of ${name} version ${version} was edited by others all the time`)
  }

  return {
    setTag: (name, version, key, value, author) => write(name, version, key, value, author),
    deleteTag: (name, version, key, author) => write(name, version, key, undefined, author),
  }
}

const ownerOf = ({ modelId, version }: LockedVersion): TagOwner => ({
  table: 'version_tags',
  columns: { model_id: modelId, version },
})

const put = (tx: Tx, owner: TagOwner, key: string, value: string | undefined) =>
  value === undefined ? removeTag(tx, owner, key) : putTag(tx, owner, key, value)
