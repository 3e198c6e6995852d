import { contentFromTags, digestOf, hasCode, InvalidInput, TAG } from '@promptkeep/client/protocol'
import type { Tags } from '../../store/store.ts'
import { isPrompt } from './rules.ts'

/**
 * The digest of the prompt that these tags hold; `undefined` for a plain model, and for content that MLflow takes
 * and nobody can read (chat messages without a role, say).
 * @throws {InvalidInput} when they name another digest: a false one would be believed for ever
 */
export async function digestOfTags(tags: Tags): Promise<string | undefined> {
  const content = isPrompt(tags) ? readable(tags) : undefined
  const digest = content && (await digestOf(content))
  const claimed = tags[TAG.digest]
  if (claimed !== undefined && digest !== undefined && claimed !== digest)
    throw new InvalidInput(
      `Tag ${TAG.digest} must be the digest of the version's content, ${digest}; got ${JSON.stringify(claimed.slice(0, 80))}`,
    )
  return digest
}

function readable(tags: Tags) {
  try {
    return contentFromTags(tags)
  } catch (error) {
    if (hasCode(error, 'INVALID_INPUT')) return undefined
    throw error
  }
}
