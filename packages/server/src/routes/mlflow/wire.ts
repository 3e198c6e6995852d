import type { z } from '@hono/zod-openapi'
import type { ModelVersion, RegisteredModel, Tags } from '../../store/store.ts'
import type { WireModel, WireVersion } from './answers.ts'

/*
 * Our rows as MLflow's protobuf JSON prints them: unset fields and empty lists are left out, versions are strings,
 * times are plain numbers.
 */

/** A list field: left out when it is empty. */
export const listed = <K extends string, T>(name: K, items: readonly T[]) =>
  (items.length === 0 ? {} : { [name]: items }) as { [key in K]?: readonly T[] }

/** Tags or params as a list of pairs. */
export const pairs = (tags: Tags): { key: string; value: string }[] =>
  Object.entries(tags).map(([key, value]) => ({ key, value }))

/** The reverse: of equal keys the last one wins. */
export const tagsOf = (sent: readonly { key: string; value: string }[]): Tags =>
  Object.fromEntries(sent.map(({ key, value }) => [key, value]))

export const wireModel = (model: RegisteredModel): z.infer<typeof WireModel> => ({
  name: model.name,
  creation_timestamp: model.createdAt,
  last_updated_timestamp: model.updatedAt,
  ...(model.description === '' ? {} : { description: model.description }),
  ...listed('latest_versions', model.latestVersions.map(wireVersion)),
  ...listed('tags', pairs(model.tags)),
  ...listed(
    'aliases',
    model.aliases.map(({ alias, version }) => ({ alias, version: String(version) })),
  ),
})

export const wireVersion = (version: ModelVersion): z.infer<typeof WireVersion> => ({
  name: version.name,
  version: String(version.version),
  creation_timestamp: version.createdAt,
  last_updated_timestamp: version.updatedAt,
  current_stage: version.stage,
  ...(version.description === undefined ? {} : { description: version.description }),
  source: version.source,
  run_id: version.runId,
  status: 'READY',
  ...listed('tags', pairs(version.tags)),
  run_link: version.runLink,
  ...listed('aliases', version.aliases),
})
