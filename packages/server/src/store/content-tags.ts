import { CONTENT_TAGS, InvalidInput, TAG } from '@promptkeep/client/protocol'

/** What setting or deleting a tag of an existing version means. */
export type TagRule = 'free' | 'fixed' | 'model config'

/** How a version came about: which request made it, and whether a seeding did. */
const ORIGIN_TAGS: ReadonlySet<string> = new Set([TAG.requestId, TAG.seeded])

/** A version never changes: the tags that hold its content, its digest and its origin are fixed when it is made. */
export function ruleOf(key: string): TagRule {
  if (key === TAG.modelConfig) return 'model config'
  return CONTENT_TAGS.has(key) || ORIGIN_TAGS.has(key) || key === TAG.digest ? 'fixed' : 'free'
}

/** The tag that holds the rollout of an alias, on the version that it points at. */
export const rolloutTag = (alias: string): string => `${TAG.rolloutPrefix}${alias}`

/**
 * Whether a rollout sends traffic to a version. Weights are an object by version number; of what is no such object every
 * whole number counts, so that nothing passes for being written strangely.
 */
export function rolloutNames(rollout: string, version: number): boolean {
  const keys = keysOf(rollout)
  const numbers = (keys ?? [rollout]).join(' ').match(/\d+/g) ?? []
  return numbers.some((number) => Number(number) === version)
}

function keysOf(rollout: string): string[] | undefined {
  try {
    const weights: unknown = JSON.parse(rollout)
    if (typeof weights !== 'object' || weights === null || Array.isArray(weights)) return undefined
    const keys = Object.keys(weights)
    return keys.every((key) => /^v?\d+$/.test(key)) ? keys : undefined
  } catch {
    return undefined
  }
}

/** The alias whose rollout a tag holds. */
export const rolloutAlias = (key: string): string | undefined =>
  key.startsWith(TAG.rolloutPrefix) ? key.slice(TAG.rolloutPrefix.length) : undefined

export const refuseContentChange = (key: string) =>
  new InvalidInput(
    ORIGIN_TAGS.has(key)
      ? `The tag '${key}' says how a version was made, and is fixed from then on: it can come with a new version only.`
      : `The tag '${key}' holds the content of a version, and versions never change: register a new version instead.`,
  )

export const refuseConfigEdit = (name: string, version: number) =>
  new InvalidInput(
    `The model config of ${name} version ${version} cannot be changed, for versions never change: register a new ` +
      'version with the other settings. (A server started with --allow-model-config-edit takes the edit and logs it.)',
  )
