import { randomUUID } from 'node:crypto'
import { link, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ownIdentity, type ProcessIdentity, startTimeOf } from './process-identity.ts'

/** Who holds a lock file, as it stands there. */
export interface LockHolder extends ProcessIdentity {
  /** Of this lock, and no other. */
  readonly id: string
  /** What it does with the database, for people. */
  readonly what: string
  /** Milliseconds since the epoch. */
  readonly since: number
  /** Where it listens, once it does. */
  readonly url?: string
}

export interface LockFile {
  /** Says where its holder listens. */
  announce(url: string): Promise<void>
  release(): Promise<void>
}

/** The file has a second name, whose lock and write-ahead log would be others: two servers would break it. */
export class LinkedTwice extends Error {
  override readonly name = 'LinkedTwice'

  constructor(file: string, names: number) {
    super(
      `The database ${file} has ${names} names (hard links). SQLite keeps a log beside each name, so two servers that use ` +
        'different names break it. Find the others with find -inum, remove all but one, or copy the file with promptkeep backup',
    )
  }
}

/** Somebody else holds it: `message` says who, and what to do. */
export class LockHeld extends Error {
  override readonly name = 'LockHeld'
  readonly holder: LockHolder

  constructor(file: string, holder: LockHolder, hint: string) {
    const { what, pid, host, url, since } = holder
    const where = url === undefined ? '' : `, ${url}`
    super(
      `${what} (process ${pid} on ${host}${where}, since ${timeOf(since)}) uses this database: ` +
        `${hint}. Its lock is ${file}`,
    )
    this.holder = holder
  }
}

export interface LockOptions {
  /** What the holder is, as a refused one is told: `Another server`. */
  readonly what: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Who takes it. Default: this process. */
  readonly self?: ProcessIdentity
  /** Hears that the lock is no longer ours: somebody removed it, or took us for dead. Default: nobody. */
  readonly onLost?: () => void
}

const TOUCH_EVERY_MS = 10_000
/** How old the last touch of a holder may be that cannot be asked, being on another machine or in another container. */
const SILENT_MS = 60_000
const TAKEOVER_MS = 5000

/**
 * Takes `<database>.lock`, so that one server writes to a SQLite file. What a dead process left is taken over: of
 * many that try, one succeeds.
 *
 * @param database - True name of the file (`sqliteFile`): two names would be two locks.
 * @throws {LockHeld} @throws {LinkedTwice}
 */
export async function takeLock(database: string, options: LockOptions): Promise<LockFile> {
  await requireOneName(database)
  const self = options.self ?? (await ownIdentity())
  return take(`${database}.lock`, { ...options, self })
}

async function requireOneName(database: string): Promise<void> {
  const found = await identityOf(database)
  if (found === undefined || found.nlink <= 1) return
  // A restore that was killed left one: `<database>.<time>.replaced`, which nobody serves.
  const folder = dirname(database)
  const aside = (await readdir(folder)).filter(
    (name) => name.startsWith(`${basename(database)}.`) && name.endsWith('.replaced'),
  )
  const its = await Promise.all(aside.map((name) => identityOf(join(folder, name))))
  const same = its.filter((one) => one?.ino === found.ino && one.dev === found.dev)
  if (found.nlink - same.length > 1) throw new LinkedTwice(database, found.nlink)
}

const identityOf = (file: string) =>
  stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })

async function take(
  file: string,
  options: LockOptions & { readonly self: ProcessIdentity },
): Promise<LockFile> {
  const { self, what, now, onLost = () => {} } = options
  let mine: LockHolder = { ...self, id: randomUUID(), what, since: now() }
  const draft = `${file}.${mine.id}`
  const write = () => writeFile(draft, `${JSON.stringify(mine, null, 2)}\n`, { flush: true })

  await write()
  try {
    for (let waitedMs = 0; !(await isCreated(draft, file)); waitedMs += 50) {
      const held = await readLock(file)
      if (held === undefined) continue // it was released just now
      const hint = await whyHeld(file, held, self, now)
      if (hint !== undefined) throw new LockHeld(file, held.holder, hint)
      if (await takeOver(held.holder.id)) break
      if (waitedMs >= TAKEOVER_MS) throw new LockHeld(file, held.holder, 'another process is taking it over')
      await sleep(50)
    }
  } finally {
    await rm(draft, { force: true })
  }

  const isOurs = async () => (await readLock(file))?.holder.id === mine.id
  const touching = setInterval(async () => {
    if (await isOurs().catch(() => true)) return touch(file, now())
    clearInterval(touching)
    onLost()
  }, TOUCH_EVERY_MS)
  touching.unref()
  return {
    async announce(url) {
      mine = { ...mine, url }
      await write()
      await rename(draft, file)
    },
    async release() {
      clearInterval(touching)
      if (await isOurs()) await rm(file, { force: true })
    },
  }

  /**
   * Puts our lock in the place of a dead one. Reading a lock and replacing it are two steps, between which another may
   * have done so; so who replaces holds a lock on the lock. Should it die there, that one is taken over the same way.
   */
  async function takeOver(deadId: string): Promise<boolean> {
    const turn = await take(`${file}.takeover`, { ...options, onLost: () => {} }).catch((error: unknown) => {
      if (error instanceof LockHeld) return undefined
      throw error
    })
    if (turn === undefined) return false
    try {
      if ((await readLock(file))?.holder.id !== deadId) return false
      await rename(draft, file)
      return true
    } finally {
      await turn.release()
    }
  }
}

/** A link is made with all that is in the file, or not at all: nobody reads half a lock. */
async function isCreated(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

interface Held {
  readonly holder: LockHolder
  readonly touchedAt: number
}

async function readLock(file: string): Promise<Held | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)])
    return { holder: parse(text), touchedAt: mtimeMs }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** What nobody can read is nobody's: it counts until it is a minute old. */
function parse(text: string): LockHolder {
  const unknown = { id: text, what: 'Somebody', pid: 0, startTime: '', host: '', pidSpace: '', since: 0 }
  try {
    const read: unknown = JSON.parse(text)
    return typeof read === 'object' && read !== null ? { ...unknown, ...read } : unknown
  } catch {
    return unknown
  }
}

/** @returns What to do about its holder; `undefined` when there is none any longer. */
async function whyHeld(
  file: string,
  { holder, touchedAt }: Held,
  self: ProcessIdentity,
  now: () => number,
): Promise<string | undefined> {
  if (holder.host === self.host && holder.pidSpace === self.pidSpace) {
    const started = await startTimeOf(holder.pid)
    return started === undefined || started !== holder.startTime
      ? undefined
      : 'stop it first, or give this one another database'
  }
  const leftMs = touchedAt + SILENT_MS - now()
  if (leftMs <= 0) return undefined
  const seconds = Math.ceil(leftMs / 1000)
  return `it cannot be asked from here; if it is gone, try again in ${seconds} s, when ${file} was not touched for a minute`
}

const touch = (file: string, at: number) => utimes(file, at / 1000, at / 1000).catch(() => {})

/** A lock that others wrote may say anything, and who holds it must be told all the same. */
function timeOf(since: unknown): string {
  const time = new Date(typeof since === 'number' ? since : Number.NaN)
  return Number.isNaN(time.getTime()) ? 'an unknown time' : time.toISOString()
}
