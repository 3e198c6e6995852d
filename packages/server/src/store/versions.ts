import { sql } from 'kysely'
import { removeAliases } from './aliases.ts'
import { appendChange, beforeAndAfter, lockLog } from './changes.ts'
import type { StoreContext } from './context.ts'
import { aliasesOf, guardAliases } from './guard.ts'
import { insertVersion, requestIdOf } from './insert.ts'
import { readModel, requireModel } from './model-rows.ts'
import { compileSearch, foundOf, type Searchable } from './search.ts'
import type { ModelVersion, VersionStore } from './store.ts'
import { lockVersion, readVersion, toVersion, type VersionRow, versionColumns } from './version-rows.ts'
import { createVersionTagWriter } from './version-tags.ts'

const tags = {
  table: 'version_tags',
  on: { model_id: 'v.model_id', version: 'v.version' },
} as const

const searchable: Searchable = {
  attributes: {
    name: 'm.name',
    run_id: 'v.run_id',
    source_path: 'v.source',
    version_number: { column: 'v.version', numeric: true },
    creation_timestamp: 'v.created_at',
    last_updated_timestamp: 'v.updated_at',
  },
  values: { tag: tags },
  // As MLflow: one version that is a prompt's hides all of its name.
  promptTags: { table: 'version_tags', on: { model_id: 'v.model_id' } },
}

/** Versions of prompts and of plain models. */
export function createVersionStore(context: StoreContext): VersionStore {
  const { db, dialect, now, write } = context
  const { setTag, deleteTag } = createVersionTagWriter(context)

  return {
    create: (draft, author) =>
      write(async (tx) => {
        const { name, tags } = draft
        await lockLog(tx, dialect)
        const model = await requireModel(tx, name)
        const requestId = requestIdOf(tags)
        const made =
          requestId !== null &&
          (await tx
            .selectFrom('versions')
            .select('version')
            .where('model_id', '=', model.id)
            .where('request_id', '=', requestId)
            .executeTakeFirst())
        if (made) return readVersion(tx, name, made.version)
        // The weights of a rollout may name a number before there is such a version.
        const aliases = await aliasesOf(tx, model.id, model.lastVersion + 1)
        const forced = await guardAliases(tx, context, { kind: 'register', model, aliases }, author)
        const inserted = { ...draft, at: now(), forced: forced.size > 0 }
        return (await insertVersion(tx, model, inserted, author)).made
      }),

    get: (name, version) => readVersion(db, name, version),

    async latest(name, stages) {
      const { latestVersions, aliases } = await readModel(db, dialect, name)
      return latestVersions
        .filter(({ stage }) => stages.length === 0 || stages.includes(stage))
        .map(
          (latest): ModelVersion => ({
            ...latest,
            aliases: aliases.filter(({ version }) => version === latest.version).map(({ alias }) => alias),
          }),
        )
    },

    update: (name, version, description, author) =>
      write(async (tx) => {
        await lockLog(tx, dialect)
        const before = await lockVersion(tx, name, version)
        const at = now()
        const after = description ?? null
        await tx
          .updateTable('versions')
          .set({ description: after, updated_at: at })
          .where('model_id', '=', before.modelId)
          .where('version', '=', version)
          .execute()
        if ((before.description ?? '') !== (after ?? ''))
          await appendChange(
            tx,
            {
              modelId: before.modelId,
              kind: 'message.edited',
              prompt: name,
              to: version,
              ...(before.digest !== null && { digest: before.digest }),
              evidence: beforeAndAfter(before.description, after),
              at,
            },
            author,
          )
        return readVersion(tx, name, version)
      }),

    delete: (name, version, author) =>
      write(async (tx) => {
        await lockLog(tx, dialect)
        const { modelId, digest } = await lockVersion(tx, name, version)
        const model = { id: modelId, name }
        const aliases = await aliasesOf(tx, modelId, version)
        const forced = await guardAliases(tx, context, { kind: 'delete version', model, aliases }, author)
        const at = now()
        await removeAliases(tx, { model, version, at, forced }, author)
        await tx
          .updateTable('versions')
          // Its request may be made again: what it made is gone.
          .set({ deleted_at: at, updated_at: at, request_id: null })
          .where('model_id', '=', modelId)
          .where('version', '=', version)
          .execute()
        await tx.updateTable('models').set({ updated_at: at }).where('id', '=', modelId).execute()
        await appendChange(
          tx,
          {
            modelId,
            kind: 'version.deleted',
            prompt: name,
            from: version,
            ...(digest !== null && { digest }),
            ...(forced.size > 0 && { forced: true }),
            at,
          },
          author,
        )
      }),

    transition: (name, version, stage, archiveExisting) =>
      write(async (tx) => {
        const { modelId } = await lockVersion(tx, name, version)
        const at = now()
        const others = tx
          .updateTable('versions')
          .where('model_id', '=', modelId)
          .where('deleted_at', 'is', null)
        if (archiveExisting)
          await others
            .set({ stage: 'Archived', updated_at: at })
            .where('stage', '=', stage)
            .where('version', '!=', version)
            .execute()
        await others.set({ stage, updated_at: at }).where('version', '=', version).execute()
        await tx.updateTable('models').set({ updated_at: at }).where('id', '=', modelId).execute()
        return readVersion(tx, name, version)
      }),

    async search(search) {
      const { where, orderBy, limit, offset } = compileSearch(searchable, search, dialect)
      const { rows } = await sql<VersionRow>`
        select ${versionColumns(dialect)} from models m join versions v on v.model_id = m.id
        where v.deleted_at is null and ${where}
        order by ${orderBy} limit ${limit} offset ${offset}`.execute(db)
      const { items, more } = foundOf(rows, search)
      return { items: items.map((row): ModelVersion => ({ ...toVersion(row), aliases: [] })), more }
    },

    setTag,
    deleteTag,
  }
}
