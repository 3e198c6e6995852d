import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, copyFile, link, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import {
  checkSqlite,
  completeSqlite,
  copySqlite,
  type Select,
  SqlError,
  sqliteFile,
  sqlitePath,
} from '@promptkeep/sql'
import { withoutPassword } from './config.ts'
import { LinkedTwice, LockHeld, takeLock } from './lock-file.ts'
import { migrations } from './store/migrations/index.ts'

/** A backup cannot be made or restored: `message` says why and what to do. */
export class BackupError extends Error {
  override readonly name = 'BackupError'
}

/** A whole database in one file, proven to be one. */
export interface Backup {
  /** Absolute path. */
  readonly file: string
  readonly bytes: number
  /** Of the last change that it holds: all up to it, nothing after it. */
  readonly seq: number
}

export interface Restored extends Backup {
  /** Where the database went that was there before. */
  readonly replaced?: string
}

interface Clock {
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number
}

/**
 * Writes what a database holds at one moment into one new file, while a server writes to it. The file is there when it
 * is whole, checked and on the disk, or not at all. Blocks this process meanwhile: not for the process of a server.
 *
 * @param url - `sqlite:<file>`. @param to - A path; default: beside the database, named after it and the time.
 * @throws {BackupError}
 */
export async function backUp(
  url: string,
  { to, now = Date.now }: Clock & { to?: string } = {},
): Promise<Backup> {
  const database = await fileOf(url, async (path) => {
    if (!(await isThere(path))) throw new BackupError(`there is no database ${path}`)
  })
  const target = resolve(to ?? `${database}.${stampOf(now())}.backup`)
  if (await isThere(target)) throw new BackupError(`${target} is there already, and is not overwritten`)
  const folder = await stat(dirname(target)).catch(() => undefined)
  if (!folder?.isDirectory())
    throw new BackupError(`there is no folder ${dirname(target)} to write the backup to`)
  return withDraft(target, async (draft) => {
    await saying(async () => copySqlite(database, draft))
    // It holds what the database holds: who may not read that may not read this.
    await chmod(draft, (await stat(database)).mode & 0o777)
    const seq = await saying(async () => check(draft))
    await flush(draft)
    // Unlike a rename it does not replace what came there meanwhile.
    await link(draft, target).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EEXIST')
        throw new BackupError(`${target} is there already, and is not overwritten`, { cause })
      return rename(draft, target)
    })
    await flush(dirname(target))
    return { file: target, bytes: (await stat(target)).size, seq }
  })
}

/**
 * Puts a backup in the place of a database that no server uses. What was there is kept aside. The backup itself stays as
 * it is.
 *
 * @param url - `sqlite:<file>`. @param force - Also where there is a database.
 * @throws {BackupError} before anything is replaced
 */
export async function restore(
  backup: string,
  url: string,
  { force = false, now = Date.now }: Clock & { force?: boolean } = {},
): Promise<Restored> {
  const source = resolve(backup)
  const database = await fileOf(url)
  if (!(await isThere(source))) throw new BackupError(`there is no backup ${source}`)
  // A copy of a database in use is no backup: what its log holds would be lost without a word.
  const log = await stat(`${source}-wal`).catch(() => undefined)
  if (log !== undefined && log.size > 0)
    throw new BackupError(
      `${source} is a database in use, not a backup: part of it is in ${basename(source)}-wal. ` +
        `Make one with: promptkeep backup --database sqlite:${source}`,
    )
  const lock = await lockFor(database, now)
  try {
    const isReplacing = await isThere(database)
    if (isReplacing && !force)
      throw new BackupError(`${database} is there already: replace it with --force; it is then kept aside`)
    return await withDraft(database, async (draft) => {
      await copyFile(source, draft, constants.COPYFILE_FICLONE)
      const seq = await saying(async () => check(draft, source))
      await flush(draft)
      const replaced = isReplacing ? await putAside(database, stampOf(now())) : undefined
      await rename(draft, database)
      await flush(dirname(database))
      const { size: bytes } = await stat(database)
      return { file: database, bytes, seq, ...(replaced !== undefined && { replaced }) }
    })
  } finally {
    await lock.release()
  }
}

/** @returns The last `seq`. @throws {SqlError} */
function check(file: string, shownAs = file): number {
  try {
    return checkSqlite(file, migrations, lastSeq)
  } catch (error) {
    // The file that was checked is a copy that nobody knows.
    if (error instanceof SqlError)
      throw new SqlError(error.code, error.message.replaceAll(file, shownAs), { cause: error })
    throw error
  }
}

function lastSeq(select: Select): number {
  const [row] = select(`select (select value from counters where name = 'change') as counted,
    (select coalesce(max(seq), 0) from changes) as logged`)
  const counted = Number(row?.counted)
  if (counted !== row?.logged)
    throw new SqlError('DAMAGED', `the log ends with change ${row?.logged}, and ${counted} were counted`)
  return counted
}

/** @param look - Looks before the folder is made: a mistyped one would be, too. */
async function fileOf(url: string, look = async (_path: string) => {}): Promise<string> {
  if (/^postgres(ql)?:/.test(url))
    throw new BackupError(
      'Postgres has its own tools. A backup: ' +
        `pg_dump --format=custom --file=promptkeep.dump '${withoutPassword(url)}'   and back, with the server stopped: ` +
        `pg_restore --clean --if-exists --single-transaction --dbname='${withoutPassword(url)}' promptkeep.dump`,
    )
  const path = await saying(async () => sqlitePath(url))
  if (path !== ':memory:') await look(path)
  const file = await saying(() => sqliteFile(url))
  if (file === undefined) throw new BackupError('a database in memory has no file: it ends with its server')
  return file
}

async function lockFor(database: string, now: () => number) {
  return takeLock(database, { what: 'A restore', now }).catch((cause: unknown) => {
    if (cause instanceof LockHeld || cause instanceof LinkedTwice)
      throw new BackupError(cause.message, { cause })
    throw cause
  })
}

/**
 * The old database gets a second name before the first one is given away: there is one under the first at every moment.
 * Its own log must not stay: it would be taken for the new one's.
 */
async function putAside(database: string, stamp: string): Promise<string> {
  const aside = `${database}.${stamp}.replaced`
  // What is damaged cannot be completed; then its log goes with it.
  await Promise.resolve()
    .then(() => completeSqlite(database))
    .catch(() => {})
  await link(database, aside).catch(() => copyFile(database, aside, constants.COPYFILE_EXCL))
  for (const part of ['-wal', '-shm'])
    await rename(`${database}${part}`, `${aside}${part}`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
  await flush(dirname(database))
  return aside
}

/** A file beside its place, which is gone afterwards whatever happens. */
async function withDraft<T>(target: string, use: (draft: string) => Promise<T>): Promise<T> {
  const draft = join(dirname(target), `.${basename(target)}.${randomUUID()}`)
  try {
    return await use(draft)
  } catch (error) {
    if (error instanceof BackupError) throw error
    const { message } = error as Error
    throw new BackupError(message.replaceAll(draft, target), { cause: error })
  } finally {
    for (const part of ['', '-wal', '-shm', '-journal']) await rm(`${draft}${part}`, { force: true })
  }
}

/** What the database says is for the person who asked. */
async function saying<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof SqlError) throw new BackupError(cause.message, { cause })
    throw cause
  }
}

/** On the disk, not only on its way there. */
async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  )

/** `2026-11-22T21-30-05Z`: sorts by time, and every file system takes it. */
const stampOf = (ms: number) => new Date(ms).toISOString().replace(/\.\d+/, '').replaceAll(':', '-')
