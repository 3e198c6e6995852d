import { randomBytes } from 'node:crypto'
import { readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InvalidInput } from './errors.ts'
import { isObject } from './front-matter.ts'

/** What files and registry agreed on last: each prompt's digest at its last push or pull. Committed with the files. */
export interface PromptLock {
  readonly version: 1
  readonly prompts: Readonly<Record<string, { readonly digest: string }>>
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

/** Sorted by name, so that two branches that change different prompts merge. Replaces the file in one step. */
export async function writeLock(dir: string, lock: PromptLock): Promise<void> {
  const names = Object.keys(lock.prompts).sort()
  const prompts = Object.fromEntries(names.map((name) => [name, { digest: lock.prompts[name]?.digest }]))
  await writeWhole(join(dir, LOCK_FILE), `${JSON.stringify({ version: lock.version, prompts }, null, 2)}\n`)
}

/** Writes beside the file, then renames: a reader sees the old text or the new one, never a part. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const target = await realpath(path).catch(() => path) // a link stays a link
  const beside = `${target}.${randomBytes(6).toString('hex')}.tmp`
  try {
    await writeFile(beside, text, { flag: 'wx' })
    await rename(beside, target)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}

function parseLock(text: string, path: string): PromptLock {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new InvalidInput(`${path}: is not JSON (${(cause as Error).message})`, { cause })
  }
  if (!isObject(value) || value.version !== 1)
    throw new InvalidInput(`${path}: version must be 1; a newer promptkeep may have written this file`)
  const { prompts } = value
  if (!isObject(prompts)) throw new InvalidInput(`${path}: "prompts" must be an object`)
  const entries = Object.entries(prompts).map(([name, entry]) => {
    const digest = isObject(entry) ? entry.digest : undefined
    if (typeof digest !== 'string' || !/^[0-9a-f]{64}$/.test(digest))
      throw new InvalidInput(`${path}: prompts.${name}.digest must be 64 hexadecimal digits`)
    return [name, { digest }] as const
  })
  return { version: 1, prompts: Object.fromEntries(entries) }
}
