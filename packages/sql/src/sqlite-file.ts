import { constants } from 'node:fs'
import { access, mkdir, readlink, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { SqlError } from './errors.ts'

/**
 * The file that a `sqlite:` URL names, absolute (the binding takes some relative names for the addresses of remote
 * databases), or `:memory:`. @throws {SqlError} `INVALID_URL`
 */
export function sqlitePath(url: string): string {
  const file = url.slice('sqlite:'.length)
  if (!url.startsWith('sqlite:') || file === '' || file.startsWith('//') || file.includes('\0'))
    throw new SqlError(
      'INVALID_URL',
      'The database URL is sqlite:./relative/file.db, sqlite:/absolute/file.db or sqlite::memory:, ' +
        `not ${JSON.stringify(url)}`,
    )
  return file === ':memory:' ? file : resolve(file)
}

/**
 * The one name of the file that a database URL means, however it was written: links are followed. Its folder is made,
 * the file is not. `undefined` where there is no file: in memory, and on a server.
 *
 * @throws {SqlError} `INVALID_URL`, or `CANNOT_OPEN` when it could not be written
 */
export async function sqliteFile(url: string): Promise<string | undefined> {
  if (!url.startsWith('sqlite:')) return undefined
  const path = sqlitePath(url)
  if (path === ':memory:') return undefined
  await makeReady(path)
  return trueName(path)
}

/** A link may point at a file that is not there yet. */
async function trueName(path: string): Promise<string> {
  const folder = await realpath(dirname(path))
  const file = join(folder, basename(path))
  const target = await readlink(file).catch(() => undefined)
  return target === undefined ? file : trueName(resolve(folder, target))
}

/** Makes the folder of a database. @throws {SqlError} `CANNOT_OPEN` when there it could not be written */
export async function makeReady(path: string): Promise<void> {
  await makeFolder(dirname(path))
  await requireWritable(path)
}

async function makeFolder(folder: string) {
  try {
    await makePath(folder)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SqlError('CANNOT_OPEN', `Cannot make the database's folder ${folder}: ${reason}`, { cause })
  }
}

/** Level by level: Node's own recursive `mkdir` never returns where a level cannot be made, as below `/proc`. */
async function makePath(folder: string): Promise<void> {
  if (await isFolder(folder)) return
  if (dirname(folder) !== folder) await makePath(dirname(folder))
  await mkdir(folder).catch(async (error: NodeJS.ErrnoException) => {
    // Another process may have been quicker; or a file has this name.
    if (error.code !== 'EEXIST' || !(await isFolder(folder))) throw error
  })
}

const isFolder = (path: string) =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

/** SQLite itself opens a file that it may only read, and says so at the first write. */
async function requireWritable(path: string) {
  try {
    await access(path, constants.R_OK | constants.W_OK).catch((error) => {
      if (error.code !== 'ENOENT') throw error
      return access(dirname(path), constants.W_OK | constants.X_OK)
    })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SqlError('CANNOT_OPEN', `Cannot write the SQLite database ${path}: ${reason}`, { cause })
  }
}
