import { InvalidInput, TAG } from '@promptkeep/client/protocol'
import { digestOfTags } from '../../prompt-digest.ts'
import type { Tags } from '../../store/store.ts'
import { isPrompt } from './rules.ts'

/**
 * The digest of the prompt that the tags of a new version hold; `undefined` for a plain model, and for content that
 * nobody can read.
 * @throws {InvalidInput} when they name another digest, or one where there is none: a false one would be believed for ever
 */
export async function requireDigest(tags: Tags): Promise<string | undefined> {
  const digest = isPrompt(tags) ? await digestOfTags(tags) : undefined
  const claimed = tags[TAG.digest]
  if (claimed === undefined || claimed === digest) return digest
  const allowed =
    digest === undefined
      ? `absent: there is no digest of what this version holds, for ${whyNone(tags)}`
      : `the digest of the version's content, ${digest}`
  throw new InvalidInput(`Tag ${TAG.digest} must be ${allowed}; got ${JSON.stringify(claimed.slice(0, 80))}`)
}

function whyNone(tags: Tags): string {
  if (!isPrompt(tags)) return `without the tag ${TAG.isPrompt} = true it is no prompt's`
  return tags[TAG.text] === undefined ? `it has no ${TAG.text}` : 'its content cannot be read as a prompt'
}
