/**
 * Last known good values in a file, so that an app that starts while its registry is away serves what it served before.
 * @module
 */
import { readdir, readFile, realpath, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isObject } from './check-json.ts'
import { digestOf, sha256 } from './digest.ts'
import type { Json, PromptVersion } from './prompt.ts'
import { isAtLeast, refuse } from './refuse.ts'
import type { Snapshot, SnapshotEntry, SnapshotStore } from './snapshot-port.ts'
import { UNFINISHED, writeWhole } from './write-whole.ts'

export type { Snapshot, SnapshotEntry, SnapshotStore } from './snapshot-port.ts'

const FORMAT = 'promptkeep.snapshot'
/** Goes up when an older reader would misread a file. */
const FORMAT_VERSION = 1
/** Far above any real set of prompts: 1,000 of them with 8 kB each are 8 MB. */
const MAX_BYTES = 64 * 2 ** 20
/** Nobody writes for so long: the process that began this file is gone. */
const ABANDONED_MS = 60_000

export interface SnapshotFileOptions {
  /** Permissions of the file. Default `0o600`: it holds prompts, for this user alone. */
  readonly mode?: number
  /** Largest file in bytes, read or written; what does not fit is left out, the oldest first. Default 64 MiB. */
  readonly maxBytes?: number
}

/**
 * Keeps a snapshot in a JSON file, whole or not at all: its text is checked by SHA-256 when it is read, and so is that
 * of each prompt in it. A file that is torn, foreign or of a newer format is ignored with one WARN `snapshot.ignored`; a
 * missing one is simply none. Processes of one app may share a file; the last one that writes wins. Credentials are never
 * in it.
 * @param path - Relative to the working directory. Its folder must exist.
 * @throws {InvalidInput} for a bad path or option
 */
export function snapshotFile(path: string, options: SnapshotFileOptions = {}): SnapshotStore {
  if (typeof path !== 'string' || path === '') refuse('path', path, 'the path of a file')
  const { mode = 0o600, maxBytes = MAX_BYTES } = options
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777) refuse('mode', mode, 'permissions such as 0o600')
  if (!isAtLeast(maxBytes, 1)) refuse('maxBytes', maxBytes, 'a number of bytes above 0')
  let isSwept = false

  return {
    where: path,
    async read(logger) {
      const ignore = (reason: string) => logger.warn({ where: path, reason }, 'snapshot.ignored')
      try {
        const text = await readText(path, maxBytes)
        if (text === undefined) return undefined
        const { snapshot, changed } = await parseSnapshot(text)
        if (changed.length > 0) ignore(`not the text of its digest: ${changed.join(', ')}; the rest is used`)
        return snapshot
      } catch (error) {
        ignore(reasonOf(error))
        return undefined
      }
    },
    async write(snapshot) {
      if (!isSwept) await sweep(path)
      isSwept = true
      await writeWhole(path, await formatSnapshot(snapshot, maxBytes), mode)
    },
  }
}

/** `undefined` when there is none. */
async function readText(path: string, maxBytes: number): Promise<string | undefined> {
  try {
    const { size } = await stat(path)
    if (size > maxBytes) throw new Unusable(`it has ${size} bytes, more than ${maxBytes}`)
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    if (error instanceof TypeError && !('syscall' in error)) throw new Unusable('it is not UTF-8')
    throw error
  }
}

/** What is wrong with a file, for a person. */
class Unusable extends Error {}

function reasonOf(error: unknown): string {
  if (error instanceof Unusable) return error.message
  const { code } = error as NodeJS.ErrnoException
  return code === undefined ? String(error) : `it cannot be read (${code})`
}

interface Parsed {
  readonly snapshot: Snapshot
  /** Entries whose text is not the one that their digest names: left out. */
  readonly changed: readonly string[]
}

/** @throws {Unusable} */
async function parseSnapshot(text: string): Promise<Parsed> {
  const file = parseJson(text)
  if (!isObject(file) || file.format !== FORMAT) throw new Unusable('it is no snapshot of prompts')
  if (file.version !== FORMAT_VERSION) {
    throw new Unusable(
      `its format is ${JSON.stringify(file.version)}, and this program reads ${FORMAT_VERSION}`,
    )
  }
  const { content } = file
  if (!isObject(content) || (await sha256(content as Json)) !== file.sha256) {
    throw new Unusable('its checksum is wrong: it was changed or damaged')
  }
  const { address, workspace, savedAt, entries } = content
  if (typeof address !== 'string' || typeof workspace !== 'string' || !Number.isFinite(savedAt)) throw odd()
  if (!Array.isArray(entries) || !entries.every(isEntry)) throw odd()
  const good: SnapshotEntry[] = []
  const changed: string[] = []
  for (const entry of entries) {
    const { alias, version } = entry
    if ((await digestOf(version)) === version.digest) good.push(entry)
    else changed.push(`${version.name}@${alias}`)
  }
  return { snapshot: { address, workspace, savedAt: savedAt as number, entries: good }, changed }
}

const odd = () => new Unusable('its checksum is right, but not what it holds')

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Unusable(text.trim() === '' ? 'it is empty' : 'it is not whole JSON')
  }
}

function isEntry(given: unknown): given is SnapshotEntry {
  if (!isObject(given) || typeof given.alias !== 'string' || !Number.isFinite(given.confirmedAt)) return false
  return isObject(given.version) && isVersion(given.version as Partial<PromptVersion>)
}

function isVersion(given: Partial<PromptVersion>): boolean {
  const { name, version, template, tags, digest, aliases, createdAt, commitMessage } = given
  const { modelConfig, responseFormat } = given
  return (
    [name, digest, commitMessage].every((text) => typeof text === 'string') &&
    Number.isInteger(version) &&
    Number.isFinite(createdAt) &&
    (typeof template === 'string' || (Array.isArray(template) && template.every(isObject))) &&
    Array.isArray(aliases) &&
    isObject(tags) &&
    Object.values(tags).every((text) => typeof text === 'string') &&
    [modelConfig, responseFormat].every((it) => it === undefined || isObject(it))
  )
}

/** One entry a line, so that two files can be compared by eye. */
async function formatSnapshot(snapshot: Snapshot, maxBytes: number): Promise<string> {
  const { workspace, savedAt } = snapshot
  const address = withoutCredentials(snapshot.address)
  const entries = fitting(snapshot.entries, maxBytes - 1000 - address.length - workspace.length)
  const content = { address, workspace, savedAt, entries }
  // As it will be read: a key that is `undefined` is none.
  const sum = await sha256(JSON.parse(JSON.stringify(content)) as Json)
  const lines = entries.map((entry) => `\n${JSON.stringify(entry)}`).join(',')
  const head = JSON.stringify({ address, workspace, savedAt }).slice(0, -1)
  const outer = { format: FORMAT, version: FORMAT_VERSION, sha256: sum }
  return `${JSON.stringify(outer).slice(0, -1)},\n"content":${head},"entries":[${lines}\n]}}\n`
}

/** By name and alias, and without the oldest where there are too many. */
function fitting(entries: readonly SnapshotEntry[], maxBytes: number): SnapshotEntry[] {
  let bytes = 0
  const newestFirst = [...entries].sort((a, b) => b.confirmedAt - a.confirmedAt)
  const kept = newestFirst.filter((entry) => {
    bytes += Buffer.byteLength(JSON.stringify(entry)) + 2
    return bytes <= maxBytes
  })
  const idOf = ({ version: { name }, alias }: SnapshotEntry) => `${name}@${alias}`
  return kept.sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
}

/** A transport is to give none; a file that lies about for months is no place to rely on that. */
const withoutCredentials = (address: string) => address.replace(/\/\/[^/?#]*@/, '//')

/** Removes what killed writers left beside the file; never fails, for it is only tidying up. */
async function sweep(path: string): Promise<void> {
  try {
    const target = await realpath(path).catch(() => path)
    const folder = dirname(target)
    const own = (name: string) => name.startsWith(`${basename(target)}.`) && UNFINISHED.test(name)
    for (const name of (await readdir(folder)).filter(own)) {
      const { mtimeMs } = await stat(join(folder, name))
      if (Date.now() - mtimeMs > ABANDONED_MS) await rm(join(folder, name), { force: true })
    }
  } catch {
    // The write that follows says what is wrong with the folder.
  }
}
