import { digestOf, type PromptContent } from './digest.ts'
import { TAG } from './wire-keys.ts'

type Tags = Readonly<Record<string, string>>

/** The tags of a version on the wire: its content, its digest, and the caller's own. */
export async function versionTags(
  content: PromptContent & { readonly tags?: Tags | undefined },
): Promise<Tags> {
  const { template, modelConfig, responseFormat, tags } = content
  const isText = typeof template === 'string'
  return {
    ...tags,
    [TAG.isPrompt]: 'true',
    [TAG.type]: isText ? 'text' : 'chat',
    [TAG.text]: isText ? template : JSON.stringify(template),
    ...(responseFormat && { [TAG.responseFormat]: JSON.stringify(responseFormat) }),
    ...(modelConfig && { [TAG.modelConfig]: JSON.stringify(modelConfig) }),
    [TAG.digest]: await digestOf(content),
  }
}
