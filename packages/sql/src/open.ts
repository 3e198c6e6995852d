import { Kysely, sql } from 'kysely'
import { postgresSql, type SqlDialect, sqliteSql } from './dialect.ts'
import { SqlError } from './errors.ts'
import { type Migration, migrate } from './migrate.ts'
import { checkPostgresUrl, postgresDialect } from './postgres.ts'
import { sqliteDialect } from './sqlite-dialect.ts'
import { makeReady, sqlitePath } from './sqlite-file.ts'

/** An open, migrated database. */
export interface Database<Tables> {
  readonly db: Kysely<Tables>
  readonly dialect: SqlDialect
  /**
   * Changes with every commit, also of another process: what was read since it was asked for holds as long as it stays
   * the same, and costs a query each time it does not. `undefined`: this database cannot tell.
   */
  stamp(): unknown
  close(): Promise<void>
}

export interface OpenOptions {
  /** Applied before this returns. */
  readonly migrations: readonly Migration[]
  /** Hears of Postgres connections that break while idle; the next query opens a new one. */
  readonly onConnectionError?: (error: Error) => void
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number
  /**
   * How long Postgres may take over one statement, or to let one in; then that is `UNAVAILABLE`. Migrations may take
   * as long as they need. Default 20,000.
   */
  readonly queryTimeoutMs?: number
}

const QUERY_TIMEOUT_MS = 20_000

/**
 * Opens a database by its URL and migrates it: `sqlite:./path/file.db`, `sqlite:/absolute/file.db`, `sqlite::memory:`
 * or `postgres://user:password@host:5432/database`. A missing folder is made.
 *
 * @throws {SqlError} `INVALID_URL`, `CANNOT_OPEN`, `NEWER_DATABASE` or `CHANGED_MIGRATION`, in words for the person
 * who wrote the URL; never with a password.
 */
export async function openDatabase<Tables>(url: string, options: OpenOptions): Promise<Database<Tables>> {
  const { migrations, now = Date.now, onConnectionError = () => {} } = options
  const queryTimeoutMs = options.queryTimeoutMs ?? QUERY_TIMEOUT_MS
  const { db, dialect, stamp, check, patient } = connect<Tables>(url, { onConnectionError, queryTimeoutMs })
  try {
    await check()
    await patient((unhurried) => migrate(unhurried, dialect, migrations, now))
  } catch (error) {
    // What could not be opened cannot be closed either; the first error is the one that tells.
    await db.destroy().catch(() => {})
    throw error
  }
  return { db, dialect, stamp, close: () => db.destroy() }
}

interface Connected<Tables> {
  readonly db: Kysely<Tables>
  readonly dialect: SqlDialect
  stamp(): unknown
  /** @throws {SqlError} `CANNOT_OPEN` */
  check(): Promise<void>
  /** Lends the database without a time-out. */
  patient(work: (db: Kysely<unknown>) => Promise<unknown>): Promise<void>
}

type Connecting = Required<Pick<OpenOptions, 'onConnectionError' | 'queryTimeoutMs'>>

function connect<Tables>(url: string, options: Connecting): Connected<Tables> {
  if (url.startsWith('sqlite:')) return connectSqlite(url)
  if (/^postgres(ql)?:\/\//.test(url)) return connectPostgres(url, options)
  throw new SqlError(
    'INVALID_URL',
    `The database URL must start with sqlite: or postgres://, not ${JSON.stringify(url.split(':', 1)[0]?.slice(0, 20))}`,
  )
}

function connectSqlite<Tables>(url: string): Connected<Tables> {
  const path = sqlitePath(url)
  const dialect = sqliteDialect(path)
  const db = new Kysely<Tables>({ dialect })
  return {
    db,
    dialect: sqliteSql,
    stamp: dialect.stamp,
    async check() {
      if (path !== ':memory:') await makeReady(path)
      await sql`select 1`.execute(db)
    },
    async patient(work) {
      await work(db as Kysely<unknown>)
    },
  }
}

function connectPostgres<Tables>(
  url: string,
  { onConnectionError, queryTimeoutMs }: Connecting,
): Connected<Tables> {
  const { server } = checkPostgresUrl(url)
  const open = <T>(timeoutMs: number | undefined) =>
    new Kysely<T>({
      dialect: postgresDialect(url, { onError: onConnectionError, queryTimeoutMs: timeoutMs }),
    })
  const db = open<Tables>(queryTimeoutMs)
  return {
    db,
    dialect: postgresSql,
    stamp: () => undefined,
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
    async patient(work) {
      const unhurried = open<unknown>(undefined)
      try {
        await work(unhurried)
      } finally {
        await unhurried.destroy()
      }
    },
  }
}
