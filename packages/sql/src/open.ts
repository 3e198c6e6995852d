import { constants } from 'node:fs'
import { access, mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Kysely, sql } from 'kysely'
import { postgresSql, type SqlDialect, sqliteSql } from './dialect.ts'
import { SqlError } from './errors.ts'
import { type Migration, migrate } from './migrate.ts'
import { checkPostgresUrl, postgresDialect } from './postgres.ts'
import { sqliteDialect } from './sqlite-dialect.ts'

/** An open, migrated database. */
export interface Database<Tables> {
  readonly db: Kysely<Tables>
  readonly dialect: SqlDialect
  close(): Promise<void>
}

export interface OpenOptions {
  /** Applied before this returns. */
  readonly migrations: readonly Migration[]
  /** Hears of Postgres connections that break while idle; the next query opens a new one. */
  readonly onConnectionError?: (error: Error) => void
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number
}

/**
 * Opens a database by its URL and migrates it: `sqlite:./path/file.db`, `sqlite:/absolute/file.db`, `sqlite::memory:`
 * or `postgres://user:password@host:5432/database`. A missing folder is made.
 *
 * @throws {SqlError} `INVALID_URL`, `CANNOT_OPEN`, `NEWER_DATABASE` or `CHANGED_MIGRATION`, in words for the person
 * who wrote the URL; never with a password.
 */
export async function openDatabase<Tables>(url: string, options: OpenOptions): Promise<Database<Tables>> {
  const { db, dialect, check } = connect<Tables>(url, options.onConnectionError ?? (() => {}))
  try {
    await check()
    await migrate(db as Kysely<unknown>, dialect, options.migrations, options.now ?? Date.now)
  } catch (error) {
    // What could not be opened cannot be closed either; the first error is the one that tells.
    await db.destroy().catch(() => {})
    throw error
  }
  return { db, dialect, close: () => db.destroy() }
}

interface Connected<Tables> {
  readonly db: Kysely<Tables>
  readonly dialect: SqlDialect
  /** @throws {SqlError} `CANNOT_OPEN` */
  check(): Promise<void>
}

function connect<Tables>(url: string, onError: (error: Error) => void): Connected<Tables> {
  if (url.startsWith('sqlite:')) return connectSqlite(url)
  if (/^postgres(ql)?:\/\//.test(url)) return connectPostgres(url, onError)
  throw new SqlError(
    'INVALID_URL',
    `The database URL must start with sqlite: or postgres://, not ${JSON.stringify(url.split(':', 1)[0]?.slice(0, 20))}`,
  )
}

function connectSqlite<Tables>(url: string): Connected<Tables> {
  const file = url.slice('sqlite:'.length)
  if (file === '' || file.startsWith('//') || file.includes('\0'))
    throw new SqlError(
      'INVALID_URL',
      'The database URL is sqlite:./relative/file.db, sqlite:/absolute/file.db or sqlite::memory:, ' +
        `not ${JSON.stringify(url)}`,
    )
  // Absolute, because the binding takes some relative names for the addresses of remote databases.
  const path = file === ':memory:' ? file : resolve(file)
  const db = new Kysely<Tables>({ dialect: sqliteDialect(path) })
  return {
    db,
    dialect: sqliteSql,
    async check() {
      if (path !== ':memory:') {
        await makeFolder(dirname(path))
        await requireWritable(path)
      }
      await sql`select 1`.execute(db)
    },
  }
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

function connectPostgres<Tables>(url: string, onError: (error: Error) => void): Connected<Tables> {
  const { server } = checkPostgresUrl(url)
  const db = new Kysely<Tables>({ dialect: postgresDialect(url, onError) })
  return {
    db,
    dialect: postgresSql,
    async check() {
      try {
        await sql`select 1`.execute(db)
      } catch (error) {
        const cause = error instanceof SqlError ? error.cause : error
        const reason = cause instanceof AggregateError ? cause.errors[0] : cause
        const text = reason instanceof Error ? reason.message : String(reason)
        throw new SqlError('CANNOT_OPEN', `Cannot reach Postgres at ${server}: ${text}`, { cause })
      }
    },
  }
}
