import { digestOf, type PromptContent } from './digest.ts'
import { InvalidInput, RegistryError } from './errors.ts'
import type { ChatMessage, Json, JsonObject, ModelConfig, PromptVersion, Template } from './prompt.ts'
import { refuse } from './refuse.ts'
import { CONTENT_TAGS, TAG } from './wire-keys.ts'

type Tags = Readonly<Record<string, string>>

/**
 * The content of a version from its tags. Lenient where MLflow is: no type means text, and the empty list
 * template that its client writes is the text `[]`.
 * @param check - Of chat messages: `checkMessages`, which texts do not need.
 * @throws {InvalidInput} when they are no prompt's, or hold what cannot be read
 */
export function contentFromTags(tags: Tags, check: CheckMessages): PromptContent {
  const text = tags[TAG.text]
  if (text === undefined) throw new InvalidInput(`is not a prompt: it has no tag ${TAG.text}`)
  const modelConfig = parseObject(tags, TAG.modelConfig) as ModelConfig | undefined
  const responseFormat = parseObject(tags, TAG.responseFormat)
  return {
    template: isChat(tags) ? parseMessages(text, check) : text,
    ...(modelConfig && { modelConfig }),
    ...(responseFormat && { responseFormat }),
  }
}

type CheckMessages = (messages: readonly unknown[], field: string) => void

const isChat = (tags: Tags) => tags[TAG.type] === 'chat'

/** By the checks of a draft: whatever else is a list of objects with roles breaks who renders it. */
function parseMessages(text: string, check: CheckMessages): Template {
  const messages = parseJson(text)
  try {
    if (!Array.isArray(messages)) refuse('it', messages, 'a list')
    check(messages, 'template')
    return messages as readonly ChatMessage[]
  } catch (error) {
    const why = (error as Error).message
    throw new InvalidInput(`holds no chat messages in its tag ${TAG.text}: ${why}`)
  }
}

function parseObject(tags: Tags, key: string): JsonObject | undefined {
  const text = tags[key]
  if (text === undefined) return undefined
  const value = parseJson(text)
  if (!isRecord(value)) throw new InvalidInput(`holds no JSON object in its tag ${key}`)
  return value as JsonObject
}

const parseJson = (text: string): Json | undefined => {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

/** A `model_version` of MLflow. @throws {RegistryError} `INVALID_INPUT` for a plain model, `UNAVAILABLE` if unreadable */
export async function toPromptVersion(wire: unknown): Promise<PromptVersion> {
  const it = readRecord(wire, 'model_version')
  const name = readString(it, 'name')
  const version = Number(readString(it, 'version')) // a decimal text on the wire, in both directions
  if (!Number.isInteger(version)) unreadable('version')
  const tags = readTags(it)
  const check = isChat(tags) ? (await import('./chat-message.ts')).checkMessages : () => {}
  const content = readContent(name, version, tags, check)
  return {
    name,
    version,
    ...content,
    commitMessage: typeof it.description === 'string' ? it.description : '', // left out after an update without one
    tags: Object.fromEntries(Object.entries(tags).filter(([key]) => !CONTENT_TAGS.has(key))),
    aliases: Array.isArray(it.aliases) ? it.aliases.filter((a) => typeof a === 'string') : [],
    createdAt: readTime(it, 'creation_timestamp'),
    digest: await digestOf(content),
  } as PromptVersion
}

function readContent(name: string, version: number, tags: Tags, check: CheckMessages): PromptContent {
  try {
    return contentFromTags(tags, check)
  } catch (error) {
    throw new InvalidInput(`"${name}" version ${version} ${(error as Error).message}`, { cause: error })
  }
}

/** MLflow leaves empty lists out; a tag without a value is "". */
export const readList = (it: JsonObject, key: string): JsonObject[] => {
  const list = it[key] ?? []
  if (!Array.isArray(list)) unreadable(key)
  return list.map((item) => readRecord(item, key))
}

export function readTags(it: JsonObject): Tags {
  return Object.fromEntries(
    readList(it, 'tags').map((tag) => [
      readString(tag, 'key'),
      typeof tag.value === 'string' ? tag.value : '',
    ]),
  )
}

export function readRecord(value: unknown, what: string): JsonObject {
  return isRecord(value) ? (value as JsonObject) : unreadable(what)
}

export function readString(it: JsonObject, key: string): string {
  const value = it[key]
  return typeof value === 'string' ? value : unreadable(key)
}

/** int64 is a number on MLflow's wire, and a text in strict protobuf JSON: both are read. */
export function readTime(it: JsonObject, key: string): number {
  const value = Number(it[key] ?? 0)
  return Number.isFinite(value) ? value : unreadable(key)
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function unreadable(what: string): never {
  throw new RegistryError('UNAVAILABLE', `answered in a form that cannot be read (${what})`)
}
