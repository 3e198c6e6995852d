import { InvalidInput, TAG } from '@promptkeep/client/protocol'
import { sql } from 'kysely'
import { archiveVersions } from './archive.ts'
import { appendChange, lockLog } from './changes.ts'
import type { StoreContext } from './context.ts'
import { aliasesOf, guardAliases } from './guard.ts'
import { insertModel } from './insert.ts'
import { readModel, readModels, requireModel } from './model-rows.ts'
import { newNameTaken } from './name-taken.ts'
import type { Tx } from './schema.ts'
import { compileSearch, foundOf, type Searchable } from './search.ts'
import { seedPrompt } from './seed.ts'
import type { Author, PromptStore, RegisteredModel } from './store.ts'
import { putTag, readTag, removeTag } from './tags.ts'

const tags = {
  table: 'model_tags',
  on: { model_id: 'models.id' },
  indexed: { row: 'models.id', column: 'model_id' },
} as const

const searchable: Searchable = {
  attributes: { name: 'models.name', last_updated_timestamp: 'models.updated_at' },
  values: { tag: tags },
  promptTags: tags,
}

/** Prompts and plain models, and what belongs to them as a whole. */
export function createPromptStore(context: StoreContext): PromptStore {
  const { db, dialect, now, write } = context

  /** @throws {InvalidInput} when the tag would say another thing than it does. Same again is no change. */
  async function refuseKindChange(tx: Tx, modelId: number, key: string, value: string | undefined) {
    if (key !== TAG.isPrompt) return
    const owner = { table: 'model_tags', columns: { model_id: modelId } } as const
    if ((await readTag(tx, owner, key)) === value) return
    throw new InvalidInput(
      `The tag '${key}' says whether this is a prompt or a model, which is decided when it is created: ` +
        'it cannot be changed or deleted.',
    )
  }

  /** What takes all aliases of a prompt with it. @throws {RegistryError} `FORBIDDEN` where a policy keeps one of them */
  async function overrulesPolicy(
    tx: Tx,
    { kind, id, name }: { kind: 'rename' | 'delete prompt'; id: number; name: string },
    author: Author,
  ): Promise<boolean> {
    const change = { kind, model: { id, name }, aliases: await aliasesOf(tx, id) }
    return (await guardAliases(tx, context, change, author)).size > 0
  }

  return {
    async create({ name, description, tags }) {
      const at = now()
      await write(async (tx) => {
        // Nothing is logged, but a seeding of the same name must not run beside this.
        await lockLog(tx, dialect)
        await insertModel(tx, { name, description, tags, at })
      })
      return { name, description, createdAt: at, updatedAt: at, tags, aliases: [], latestVersions: [] }
    },

    get: (name) => readModel(db, dialect, name),

    update: (name, description = '') =>
      write(async (tx) => {
        const { id } = await requireModel(tx, name)
        await tx.updateTable('models').set({ description, updated_at: now() }).where('id', '=', id).execute()
        return readModel(tx, dialect, name)
      }),

    rename: (name, newName, author) =>
      write(async (tx) => {
        await lockLog(tx, dialect)
        const { id } = await requireModel(tx, name)
        const forced = newName !== name && (await overrulesPolicy(tx, { kind: 'rename', id, name }, author))
        const at = now()
        await tx.updateTable('models').set({ name: newName, updated_at: at }).where('id', '=', id).execute()
        if (newName !== name)
          await appendChange(
            tx,
            { modelId: id, kind: 'prompt.renamed', prompt: name, newName, ...(forced && { forced }), at },
            author,
          )
        return readModel(tx, dialect, newName)
      }).catch((error) => {
        throw dialect.isUniqueViolation(error) ? newNameTaken(newName) : error
      }),

    delete: (name, author) =>
      write(async (tx) => {
        await lockLog(tx, dialect)
        const { id } = await requireModel(tx, name)
        const forced = await overrulesPolicy(tx, { kind: 'delete prompt', id, name }, author)
        await archiveVersions(tx, dialect, id)
        await tx.deleteFrom('models').where('id', '=', id).execute()
        await appendChange(
          tx,
          { modelId: id, kind: 'prompt.deleted', prompt: name, ...(forced && { forced }), at: now() },
          author,
        )
      }),

    async search(search) {
      const { where, orderBy, limit, offset } = compileSearch(searchable, search, dialect)
      const { rows } = await sql<{ id: number }>`
        select models.id from models where ${where} order by ${orderBy} limit ${limit} offset ${offset}`.execute(
        db,
      )
      const found = foundOf(rows, search)
      if (found.items.length === 0) return { items: [], more: found.more }
      const ids = sql.join(found.items.map(({ id }) => id))
      const models = await readModels(db, dialect, sql`m.id in (${ids})`)
      // One that was deleted between the two statements is left out.
      const items = found.items.flatMap(({ id }): RegisteredModel | [] => models.get(id) ?? [])
      return { items, more: found.more }
    },

    setTag: (name, key, value) =>
      write(async (tx) => {
        const { id } = await requireModel(tx, name)
        await refuseKindChange(tx, id, key, value)
        await putTag(tx, { table: 'model_tags', columns: { model_id: id } }, key, value)
      }),

    deleteTag: (name, key) =>
      write(async (tx) => {
        const { id } = await requireModel(tx, name)
        await refuseKindChange(tx, id, key, undefined)
        await removeTag(tx, { table: 'model_tags', columns: { model_id: id } }, key)
      }),

    seed: (draft, author) => seedPrompt(context, draft, author),
  }
}
