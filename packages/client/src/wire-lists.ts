import { InvalidInput } from './errors.ts'
import type { PromptInfo } from './prompt.ts'
import type { Page } from './transport.ts'
import { readList, readRecord, readString, readTags, readTime } from './wire.ts'
import { TAG } from './wire-keys.ts'

/** A `registered_model` of MLflow. @throws {RegistryError} as {@link toPromptVersion} */
export function toPromptInfo(wire: unknown): PromptInfo {
  const it = readRecord(wire, 'registered_model')
  const name = readString(it, 'name')
  const { [TAG.isPrompt]: isPrompt, ...tags } = readTags(it)
  if (isPrompt?.toLowerCase() !== 'true') {
    throw new InvalidInput(`"${name}" is registered as a model, not as a prompt`)
  }
  const aliases = readList(it, 'aliases').map((a) => [
    readString(a, 'alias'),
    Number(readString(a, 'version')),
  ])
  const numbers = readList(it, 'latest_versions').map((v) => Number(readString(v, 'version')))
  return {
    name,
    description: typeof it.description === 'string' ? it.description : '',
    tags,
    aliases: Object.fromEntries(aliases),
    ...(numbers.length > 0 && { latestVersion: Math.max(...numbers) }), // one per stage, in no order
    createdAt: readTime(it, 'creation_timestamp'),
    updatedAt: readTime(it, 'last_updated_timestamp'),
  }
}

/** One page of a list under `key`; MLflow leaves out an empty list and says "" for no token. */
export async function toPage<T>(
  wire: unknown,
  key: string,
  read: (item: unknown) => Promise<T>,
): Promise<Page<T>> {
  const it = readRecord(wire, 'answer')
  const items = await Promise.all(readList(it, key).map(read))
  const token = it.next_page_token
  return { items, ...(typeof token === 'string' && token !== '' && { nextPageToken: token }) }
}
