import { CONTENT_TAGS, InvalidInput, TAG } from '@promptkeep/client/protocol'

/** What setting or deleting a tag of an existing version means. */
export type TagRule = 'free' | 'fixed' | 'model config'

/** A version never changes: the tags that hold its content, and its digest, are fixed when it is made. */
export function ruleOf(key: string): TagRule {
  if (key === TAG.modelConfig) return 'model config'
  return CONTENT_TAGS.has(key) || key === TAG.digest ? 'fixed' : 'free'
}

/** The alias whose rollout a tag holds. */
export const rolloutAlias = (key: string): string | undefined =>
  key.startsWith(TAG.rolloutPrefix) ? key.slice(TAG.rolloutPrefix.length) : undefined

export const refuseContentChange = (key: string) =>
  new InvalidInput(
    `The tag '${key}' holds the content of a version, and versions never change: register a new version instead.`,
  )

export const refuseConfigEdit = (name: string, version: number) =>
  new InvalidInput(
    `The model config of ${name} version ${version} cannot be changed, for versions never change: register a new ` +
      'version with the other settings. (A server started with --allow-model-config-edit takes the edit and logs it.)',
  )
