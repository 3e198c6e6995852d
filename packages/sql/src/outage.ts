import pg from 'pg'
import { SqlError } from './errors.ts'

/*
 * The database is there no longer, or takes nothing now: as `UNAVAILABLE`, or `DAMAGED`, in words that anybody may
 * read. Names of hosts, paths and what the driver said stay in `cause`.
 */

/** @returns `error` itself when it is neither, e.g. a violated constraint. */
export function sqliteOutage(error: unknown, busyTimeoutMs: number): unknown {
  const code = codeOf(error)
  if (SQLITE_DAMAGE.test(code)) return damaged('The SQLite file', error)
  const message = Object.entries(sqliteOutages(busyTimeoutMs)).find(([prefix]) =>
    code.startsWith(prefix),
  )?.[1]
  return message === undefined ? error : new SqlError('UNAVAILABLE', message, { cause: error })
}

/** By the start of SQLite's code: each has longer ones (`SQLITE_BUSY_SNAPSHOT`). */
const sqliteOutages = (busyTimeoutMs: number): Readonly<Record<string, string>> => ({
  SQLITE_BUSY: `the SQLite file is locked by another process, and still was after ${busyTimeoutMs / 1000} s`,
  SQLITE_FULL: 'the disk of the SQLite file is full',
  SQLITE_IOERR: 'the SQLite file cannot be read or written',
  SQLITE_CANTOPEN: 'the SQLite file cannot be opened',
  SQLITE_READONLY: 'the SQLite file is readonly',
})

/** Trying again does not help, and nothing of what it says can be trusted. */
const damaged = (what: string, cause: unknown) =>
  new SqlError('DAMAGED', `${what} is damaged: restore a backup`, { cause })
const SQLITE_DAMAGE = /^SQLITE_(CORRUPT|NOTADB)/
/** data_corrupted and index_corrupted. */
const POSTGRES_DAMAGE = /^XX00[12]$/

/** @returns `error` itself when Postgres answered, and refused the statement. */
export function postgresOutage(error: unknown): unknown {
  if (error instanceof pg.DatabaseError && POSTGRES_DAMAGE.test(error.code ?? ''))
    return damaged("Postgres's database", error)
  const message = postgresOutageText(error)
  return message === undefined ? error : new SqlError('UNAVAILABLE', message, { cause: error })
}

function postgresOutageText(error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof TypeError || error instanceof SqlError) return undefined
  // What is not Postgres's own answer comes from the connection; `pg` gives some of it no code at all.
  if (!(error instanceof pg.DatabaseError))
    return `Postgres does not answer (${codeOf(error) || error.message})`
  const { code = '' } = error
  if (code === '53100') return "Postgres's disk is full"
  if (code === '57014') return 'Postgres took too long over a statement'
  return POSTGRES_OUTAGE.test(code) ? `Postgres takes nothing now (${code})` : undefined
}

/** Broken connections, too few resources (53), shutting down or starting (57P), trouble of its machine (58), a standby. */
const POSTGRES_OUTAGE = /^(08|53|57P|58|25006)/

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '')
