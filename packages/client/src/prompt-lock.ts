import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InvalidInput } from './errors.ts'
import { isObject } from './front-matter.ts'
import { writeWhole } from './write-whole.ts'

type Digests = Readonly<Record<string, { readonly digest: string }>>

/** What files and registry agreed on last: each prompt's digest at its last push or pull. Committed with the files. */
export interface PromptLock {
  readonly version: 1
  readonly prompts: Digests
  /** The texts that generated types were made from; absent where none are generated. */
  readonly types?: Digests
}

export const LOCK_FILE = 'promptkeep.lock.json'

/** @returns An empty lock when the folder has none. @throws {InvalidInput} for one that cannot be read */
export async function readLock(dir: string): Promise<PromptLock> {
  const path = join(dir, LOCK_FILE)
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new InvalidInput(`${path}: cannot be read (${error.code})`, { cause: error })
  })
  if (text === undefined) return { version: 1, prompts: {} }
  if (/^<{7} /m.test(text)) throw new InvalidInput(`${path}: holds conflict marks of a merge; resolve them`)
  return parseLock(text, path)
}

/**
 * Sorted by name, so that two branches that change different prompts merge. Replaces the file in one step. Without
 * `types` those of the file stay: who pushes or pulls has nothing to do with them.
 */
export async function writeLock(dir: string, lock: PromptLock): Promise<void> {
  const types = lock.types ?? (await readTypes(dir))
  const sorted = {
    version: lock.version,
    prompts: sortDigests(lock.prompts),
    ...(types && { types: sortDigests(types) }),
  }
  await writeWhole(join(dir, LOCK_FILE), `${JSON.stringify(sorted, null, 2)}\n`)
}

/** What cannot be read is written over: whoever writes has read it before, or means to. */
const readTypes = (dir: string) =>
  readLock(dir).then(
    ({ types }) => types,
    () => undefined,
  )

const sortDigests = (digests: Digests) =>
  Object.fromEntries(
    Object.keys(digests)
      .sort()
      .map((name) => [name, { digest: digests[name]?.digest }]),
  )

function parseLock(text: string, path: string): PromptLock {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new InvalidInput(`${path}: is not JSON (${(cause as Error).message})`, { cause })
  }
  if (!isObject(value) || value.version !== 1)
    throw new InvalidInput(`${path}: version must be 1; a newer promptkeep may have written this file`)
  const { types } = value
  return {
    version: 1,
    prompts: readDigests(value.prompts, 'prompts', path),
    ...(types !== undefined && { types: readDigests(types, 'types', path) }),
  }
}

function readDigests(value: unknown, field: string, path: string): Digests {
  if (!isObject(value)) throw new InvalidInput(`${path}: "${field}" must be an object`)
  const entries = Object.entries(value).map(([name, entry]) => {
    const digest = isObject(entry) ? entry.digest : undefined
    if (typeof digest !== 'string' || !/^[0-9a-f]{64}$/.test(digest))
      throw new InvalidInput(`${path}: ${field}.${name}.digest must be 64 hexadecimal digits`)
    return [name, { digest }] as const
  })
  return Object.fromEntries(entries)
}
