import { checkMessages, contentFromTags, digestOf, hasCode, TAG } from '@promptkeep/client/protocol'
import type { Tags } from './store/store.ts'

/**
 * The digest of the content that a version's tags hold; `undefined` where nobody can read it as a prompt (a plain
 * model, or what MLflow takes all the same: chat messages without a role, say).
 */
export async function digestOfTags(tags: Tags): Promise<string | undefined> {
  if (tags[TAG.text] === undefined) return undefined
  try {
    return await digestOf(contentFromTags(tags, checkMessages))
  } catch (error) {
    if (hasCode(error, 'INVALID_INPUT')) return undefined
    throw error
  }
}
