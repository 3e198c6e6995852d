import { InvalidInput, TAG } from '@promptkeep/client/protocol'
import { digestOfTags } from '../../prompt-digest.ts'
import type { Tags } from '../../store/store.ts'
import { isPrompt } from './rules.ts'

/**
 * The digest of the prompt that the tags of a new version hold; `undefined` for a plain model, and for content that
 * nobody can read.
 * @throws {InvalidInput} when they name another digest: a false one would be believed for ever
 */
export async function requireDigest(tags: Tags): Promise<string | undefined> {
  const digest = isPrompt(tags) ? await digestOfTags(tags) : undefined
  const claimed = tags[TAG.digest]
  if (claimed !== undefined && digest !== undefined && claimed !== digest)
    throw new InvalidInput(
      `Tag ${TAG.digest} must be the digest of the version's content, ${digest}; got ${JSON.stringify(claimed.slice(0, 80))}`,
    )
  return digest
}
