import { InvalidInput } from '@promptkeep/client/protocol'
import { Hono } from 'hono'
import { authorOf } from '../../author.ts'
import type { ServerEnv } from '../../env.ts'
import type { Store } from '../../store/store.ts'
import { boolean, keyValue, list, orDefault, required, string } from './fields.ts'
import { mlflowRequest } from './mlflow-request.ts'
import { downloadUri, requireSource } from './model-source.ts'
import { saidIn } from './move-headers.ts'
import { nextPage } from './page-token.ts'
import { requireDigest } from './prompt-digest.ts'
import { readSearch, searchFields } from './registry-search.ts'
import {
  descriptionText,
  isPrompt,
  modelName,
  stageName,
  tagKey,
  versionNumber,
  versionTag,
} from './rules.ts'
import { listed, tagsOf, wireVersion } from './wire.ts'

const byVersion = { name: required(string), version: required(string) }
const byKey = { ...byVersion, key: required(string) }
const text = orDefault(string, '')

/** Name and number of a version that is asked for. */
const at = ({ name, version }: { name: string; version: string }) =>
  [modelName(name), versionNumber(name, version)] as const

/** MLflow's `model-versions/*`: versions of prompts and of plain models. */
export const modelVersions = (store: Store) => {
  const { versions } = store
  return new Hono<ServerEnv>()
    .post(
      '/model-versions/create',
      mlflowRequest({
        name: required(string),
        source: required(string),
        run_id: text,
        run_link: text,
        description: text,
        tags: list(keyValue),
        model_id: text,
      }),
      async (c) => {
        const { name, source, run_id, run_link, description, tags: sent, model_id } = c.get('request')
        modelName(name)
        for (const tag of sent) versionTag(tag.key, tag.value)
        const tags = tagsOf(sent)
        await requireSource(store, { source, runId: run_id, modelId: model_id, isPrompt: isPrompt(tags) })
        const made = await versions.create(
          {
            name,
            source,
            runId: run_id,
            runLink: run_link,
            description: descriptionText(description),
            tags,
            digest: await requireDigest(tags),
          },
          authorOf(c, saidIn(c)),
        )
        return c.json({ model_version: wireVersion(made) })
      },
    )
    .get('/model-versions/get', mlflowRequest(byVersion), async (c) =>
      c.json({ model_version: wireVersion(await versions.get(...at(c.get('request')))) }),
    )
    .patch('/model-versions/update', mlflowRequest({ ...byVersion, description: string }), async (c) => {
      const request = c.get('request')
      const author = authorOf(c, saidIn(c))
      const updated = await versions.update(...at(request), descriptionText(request.description), author)
      return c.json({ model_version: wireVersion(updated) })
    })
    .delete('/model-versions/delete', mlflowRequest(byVersion), async (c) => {
      await versions.delete(...at(c.get('request')), authorOf(c, saidIn(c)))
      return c.json({})
    })
    .get(
      '/model-versions/search',
      mlflowRequest(searchFields({ default: 200_000, most: 200_000 })),
      async (c) => {
        const search = readSearch('model versions', c.get('request'))
        if (search.limit === 0)
          throw new InvalidInput('Invalid value for max_results. It must be a positive integer, but got 0')
        const { items, more } = await versions.search(search)
        return c.json({ ...listed('model_versions', items.map(wireVersion)), ...nextPage(more, search) })
      },
    )
    .get('/model-versions/get-download-uri', mlflowRequest({ name: text, version: text }), async (c) =>
      c.json({ artifact_uri: await downloadUri(store, await versions.get(...at(c.get('request')))) }),
    )
    .post(
      '/model-versions/transition-stage',
      mlflowRequest({
        ...byVersion,
        stage: required(string),
        archive_existing_versions: orDefault(boolean, false),
      }),
      async (c) => {
        const { stage: sent, archive_existing_versions: archive, ...version } = c.get('request')
        const stage = stageName(sent)
        if (archive && stage !== 'Staging' && stage !== 'Production')
          throw new InvalidInput(
            `Model version transition cannot archive existing model versions because '${sent}' is not an Active ` +
              "stage. Valid stages are ['Staging', 'Production']",
          )
        return c.json({
          model_version: wireVersion(await versions.transition(...at(version), stage, archive)),
        })
      },
    )
    .post('/model-versions/set-tag', mlflowRequest({ ...byKey, value: text }), async (c) => {
      const { key, value, ...version } = c.get('request')
      const [name, number] = at(version)
      versionTag(key, value)
      await versions.setTag(name, number, key, value, authorOf(c, saidIn(c)))
      return c.json({})
    })
    .delete('/model-versions/delete-tag', mlflowRequest(byKey), async (c) => {
      const { key, ...version } = c.get('request')
      const [name, number] = at(version)
      await versions.deleteTag(name, number, tagKey(key), authorOf(c, saidIn(c)))
      return c.json({})
    })
}
