import { hasCode, type RegistryError } from './errors.ts'
import type { Send } from './http.ts'
import { findByAlias, ROOT } from './mlflow-find.ts'
import type { PromptInfo, PromptVersion } from './prompt.ts'
import type { Page, PageRequest, VersionDraft } from './transport.ts'
import { readList, readRecord, toPromptVersion } from './wire.ts'
import { TAG } from './wire-keys.ts'
import { toPage, toPromptInfo } from './wire-lists.ts'
import { versionTags } from './wire-tags.ts'

/** The calls of MLflow's REST that the library makes, one method a call. */
export interface MlflowApi {
  findByAlias(name: string, alias: string): Promise<PromptVersion>
  /** @throws {RegistryError} `INVALID_INPUT` for a plain model */
  find(name: string): Promise<PromptInfo>
  list(page?: PageRequest): Promise<Page<PromptInfo>>
  /** Newest first, without aliases; those that no client can read are left out. */
  versions(name: string, page?: PageRequest): Promise<Page<PromptVersion>>
  /** @returns whether this call made it: of several at once, exactly one hears true */
  createPrompt(name: string, description: string): Promise<boolean>
  /** A retry finds the version that a lost try made, by its request id. */
  createVersion(draft: VersionDraft): Promise<PromptVersion>
  deleteVersion(name: string, version: number): Promise<void>
  setAlias(name: string, alias: string, version: number): Promise<void>
  setPromptTag(name: string, key: string, value: string): Promise<void>
}

export function mlflowApi(send: Send, newId: () => string): MlflowApi {
  const find: MlflowApi['find'] = async (name) => {
    const answer = await send({
      method: 'GET',
      path: `${ROOT}/registered-models/get`,
      query: { name },
      about: { name },
    })
    return toPromptInfo(readRecord(answer, 'answer').registered_model)
  }

  /** Without the tag MLflow leaves prompts out. Nothing is quoted: names have no quotes, and ids are ours. */
  function search(name: string, more: string, { limit = 100, pageToken }: PageRequest): Promise<unknown> {
    const filter = `name = '${name}' AND tags.\`${TAG.isPrompt}\` = 'true'${more}`
    const query = { filter, max_results: limit, order_by: 'version_number DESC', page_token: pageToken }
    return send({ method: 'GET', path: `${ROOT}/model-versions/search`, query })
  }

  return {
    find,
    findByAlias: (name, alias) => findByAlias(send, name, alias),
    async list({ limit = 100, pageToken } = {}) {
      const query = { filter: `tags.\`${TAG.isPrompt}\` = 'true'`, max_results: limit, page_token: pageToken }
      const answer = await send({ method: 'GET', path: `${ROOT}/registered-models/search`, query })
      return toPage(answer, 'registered_models', async (item) => toPromptInfo(item))
    },
    async versions(name, page = {}) {
      const { items, ...rest } = await toPage(await search(name, '', page), 'model_versions', readableVersion)
      return { ...rest, items: items.filter((version) => version !== undefined) }
    },
    async createPrompt(name, description) {
      const body = { name, description, tags: [{ key: TAG.isPrompt, value: 'true' }] }
      try {
        await send({ method: 'POST', path: `${ROOT}/registered-models/create`, body, about: { name } })
        return true
      } catch (error) {
        if ((error as RegistryError).mlflowCode !== 'RESOURCE_ALREADY_EXISTS') throw error
        await find(name) // throws when the name is a plain model's
        return false
      }
    },
    async createVersion(draft) {
      const { name } = draft
      const requestId = newId()
      const tags = { ...(await versionTags(draft)), [TAG.requestId]: requestId }
      const answer = await send({
        method: 'POST',
        path: `${ROOT}/model-versions/create`,
        body: {
          name,
          source: 'dummy-source', // MLflow insists on a source, and on this one for prompts
          description: draft.commitMessage ?? '',
          tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
        },
        about: { name },
        beforeRetry: async () => {
          const found = await search(name, ` AND tags.\`${TAG.requestId}\` = '${requestId}'`, { limit: 1 })
          const [made] = readList(readRecord(found, 'answer'), 'model_versions')
          return made && { model_version: made }
        },
      })
      return toPromptVersion(readRecord(answer, 'answer').model_version)
    },
    async deleteVersion(name, version) {
      const body = { name, version: String(version) }
      await send({ method: 'DELETE', path: `${ROOT}/model-versions/delete`, body, about: { name, version } })
    },
    async setAlias(name, alias, version) {
      const body = { name, alias, version: String(version) } // a number is refused
      const about = { name, alias, version }
      const set = () => send({ method: 'POST', path: `${ROOT}/registered-models/alias`, body, about })
      await set().catch((error: Error) => {
        // Two that make an alias at once: one of them hits the other's row. The next time it is there to be moved.
        if (!error.message.includes('IntegrityError')) throw error
        return set()
      })
    },
    async setPromptTag(name, key, value) {
      const body = { name, key, value }
      await send({ method: 'POST', path: `${ROOT}/registered-models/set-tag`, body, about: { name } })
    },
  }
}

/** Python's client can leave a version behind that nobody can load; a list goes on without it. */
async function readableVersion(wire: unknown): Promise<PromptVersion | undefined> {
  try {
    return await toPromptVersion(wire)
  } catch (error) {
    if (hasCode(error, 'INVALID_INPUT')) return undefined
    throw error
  }
}
