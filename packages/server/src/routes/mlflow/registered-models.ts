import { AliasNotFound, hasCode, type Logger, VersionNotFound } from '@promptkeep/client/protocol'
import { Hono } from 'hono'
import { authorOf } from '../../author.ts'
import type { ServerEnv } from '../../env.ts'
import type { ModelVersion, Store } from '../../store/store.ts'
import { logChanges } from '../log-changes.ts'
import { keyValue, list, orDefault, required, string } from './fields.ts'
import { mlflowRequest } from './mlflow-request.ts'
import { expectedIn, saidIn } from './move-headers.ts'
import { nextPage } from './page-token.ts'
import { readSearch, searchFields } from './registry-search.ts'
import {
  aliasName,
  descriptionText,
  modelName,
  modelTag,
  settableAlias,
  stageName,
  tagKey,
  versionNumber,
} from './rules.ts'
import { listed, tagsOf, wireModel, wireVersion } from './wire.ts'

const byName = { name: required(string) }
const byKey = { ...byName, key: required(string) }
const byAlias = { ...byName, alias: required(string) }
const latest = { ...byName, stages: list(string) }

/** MLflow's `registered-models/*`: prompts and plain models, their tags and aliases. */
export function registeredModels({ prompts, versions, aliases }: Store, log: Logger) {
  const latestVersions = async ({ name, stages }: { name: string; stages: readonly string[] }) =>
    listed('model_versions', (await versions.latest(modelName(name), stages.map(stageName))).map(wireVersion))

  // The store answers with the same object while nothing changes.
  const bodies = new WeakMap<ModelVersion, string>()
  function bodyOf(found: ModelVersion): string {
    const known = bodies.get(found)
    if (known !== undefined) return known
    const body = JSON.stringify({ model_version: wireVersion(found) })
    bodies.set(found, body)
    return body
  }

  return new Hono<ServerEnv>()
    .post(
      '/registered-models/create',
      mlflowRequest({ ...byName, description: orDefault(string, ''), tags: list(keyValue) }),
      async (c) => {
        const { name, description, tags } = c.get('request')
        modelName(name)
        for (const tag of tags) modelTag(tag.key, tag.value)
        const made = await prompts.create({
          name,
          description: descriptionText(description),
          tags: tagsOf(tags),
        })
        return c.json({ registered_model: wireModel(made) })
      },
    )
    .get('/registered-models/get', mlflowRequest(byName), async (c) => {
      const { name } = c.get('request')
      return c.json({ registered_model: wireModel(await prompts.get(modelName(name))) })
    })
    .patch('/registered-models/update', mlflowRequest({ ...byName, description: string }), async (c) => {
      const { name, description } = c.get('request')
      return c.json({
        registered_model: wireModel(await prompts.update(modelName(name), descriptionText(description))),
      })
    })
    .post(
      '/registered-models/rename',
      mlflowRequest({ ...byName, new_name: required(string) }),
      async (c) => {
        const { name, new_name } = c.get('request')
        const author = authorOf(c, saidIn(c))
        const renamed = await prompts.rename(modelName(name), modelName(new_name, 'new_name'), author)
        return c.json({ registered_model: wireModel(renamed) })
      },
    )
    .delete('/registered-models/delete', mlflowRequest(byName), async (c) => {
      await prompts.delete(modelName(c.get('request').name), authorOf(c, saidIn(c)))
      return c.json({})
    })
    .get(
      '/registered-models/search',
      mlflowRequest(searchFields({ default: 100, most: 1000 })),
      async (c) => {
        const search = readSearch('registered models', c.get('request'))
        if (search.limit === 0) return c.json({})
        const { items, more } = await prompts.search(search)
        return c.json({ ...listed('registered_models', items.map(wireModel)), ...nextPage(more, search) })
      },
    )
    .get('/registered-models/get-latest-versions', mlflowRequest(latest), async (c) =>
      c.json(await latestVersions(c.get('request'))),
    )
    .post('/registered-models/get-latest-versions', mlflowRequest(latest), async (c) =>
      c.json(await latestVersions(c.get('request'))),
    )
    .post(
      '/registered-models/set-tag',
      mlflowRequest({ ...byKey, value: orDefault(string, '') }),
      async (c) => {
        const { name, key, value } = c.get('request')
        modelTag(key, value)
        await prompts.setTag(modelName(name), key, value)
        return c.json({})
      },
    )
    .delete('/registered-models/delete-tag', mlflowRequest(byKey), async (c) => {
      const { name, key } = c.get('request')
      await prompts.deleteTag(modelName(name), tagKey(key))
      return c.json({})
    })
    .get('/registered-models/alias', mlflowRequest(byAlias), async (c) => {
      const { name, alias } = c.get('request')
      const found = await aliases.find(modelName(name), aliasName(alias))
      if (!found) throw new AliasNotFound(alias)
      return c.body(bodyOf(found), 200, { 'Content-Type': 'application/json' })
    })
    .post('/registered-models/alias', mlflowRequest({ ...byAlias, version: required(string) }), async (c) => {
      const { name, alias, version } = c.get('request')
      modelName(name)
      settableAlias(alias)
      const to = versionNumber(name, version)
      const move = { name, alias, to, expected: expectedIn(c), ...authorOf(c, saidIn(c)) }
      const change = await aliases.move(move).catch((error: unknown) => {
        // MLflow looks for the version only, and so misses that, too, where there is no prompt.
        throw hasCode(error, 'PROMPT_NOT_FOUND') ? new VersionNotFound(name, to) : error
      })
      logChanges(c, log, [change])
      return c.json({})
    })
    .delete('/registered-models/alias', mlflowRequest(byAlias), async (c) => {
      const { name, alias } = c.get('request')
      const author = { ...authorOf(c, saidIn(c)), expected: expectedIn(c) }
      await aliases.remove(modelName(name), aliasName(alias), author)
      return c.json({})
    })
}
