import { digestOf } from './digest.ts'
import { expandDefaults } from './includes.ts'
import type { PromptBody } from './prompt.ts'
import { makeBody } from './prompt-body.ts'
import type { VersionDraft } from './transport.ts'

/** A bundled default as what is served: with its parts, which are other defaults, in it. Its version is 0. */
export async function makeBundled(
  name: string,
  defaults: ReadonlyMap<string, VersionDraft>,
): Promise<PromptBody> {
  const draft = (await expandDefaults(defaults, name)).get(name) as VersionDraft
  const { tags = {}, ...content } = draft
  return makeBody({ ...content, tags, version: 0, digest: await digestOf(draft) })
}
