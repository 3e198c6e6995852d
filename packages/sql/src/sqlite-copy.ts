import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { sqliteSql } from './dialect.ts'
import { SqlError } from './errors.ts'
import { checkApplied, type Migration } from './migrate.ts'
import { openSqlite } from './sqlite.ts'

/**
 * Writes what a SQLite file holds at one moment into a new file, while others write to it. Blocks this thread for as
 * long as that takes.
 *
 * @param from - Absolute path of a database. @param to - Absolute path; there is nothing there yet.
 * @throws {SqlError} `CANNOT_OPEN`, `UNAVAILABLE` or `DAMAGED`
 */
export function copySqlite(from: string, to: string): void {
  requireSqlite(from)
  const connection = openSqlite({ path: from })
  try {
    connection.run('vacuum into ?', [to])
  } finally {
    connection.close()
  }
}

/** Moves what the write-ahead log of a database holds into its main file. @throws as `copySqlite` */
export function completeSqlite(path: string): void {
  requireSqlite(path)
  const connection = openSqlite({ path })
  try {
    connection.run('pragma wal_checkpoint(TRUNCATE)')
  } finally {
    connection.close()
  }
}

/**
 * Proves that a file is a whole database of this program: its pages, its references, its migrations.
 *
 * @param read - What is to be known of it, by statements that only read.
 * @throws {SqlError} `CANNOT_OPEN` for what is no SQLite file, `DAMAGED`, and as `openDatabase` of its migrations
 */
export function checkSqlite<T>(
  path: string,
  migrations: readonly Migration[],
  read: (select: Select) => T,
): T {
  requireSqlite(path)
  const connection = openSqlite({ path, readOnly: true })
  const select: Select = (statement) => connection.run(statement).rows
  try {
    const [first] = select('pragma integrity_check')
    if (first?.integrity_check !== 'ok') throw damaged(path, String(first?.integrity_check))
    const [dangling] = select('pragma foreign_key_check')
    if (dangling)
      throw damaged(path, `a row of ${dangling.table} speaks of one in ${dangling.parent} that is not there`)
    checkApplied(appliedIn(path, select), migrations, sqliteSql)
    return read(select)
  } finally {
    connection.close()
  }
}

export type Select = (statement: string) => readonly Readonly<Record<string, unknown>>[]

function appliedIn(path: string, select: Select) {
  const [table] = select("select name from sqlite_master where type = 'table' and name = 'migrations'")
  const rows = table ? select('select number, name, checksum from migrations order by number') : []
  if (rows.length === 0)
    throw new SqlError('CANNOT_OPEN', `${path} is a SQLite database of another program: it has no migrations`)
  return rows.map(({ number, name, checksum }) => ({
    number: Number(number),
    name: String(name),
    checksum: String(checksum),
  }))
}

const MAGIC = 'SQLite format 3\0'

/** SQLite would make what is not there, and only the first query says that a file is something else. */
function requireSqlite(path: string): void {
  const start = Buffer.alloc(MAGIC.length)
  try {
    if (!statSync(path).isFile()) throw new Error('it is no file')
    const file = openSync(path, 'r')
    readSync(file, start)
    closeSync(file)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'there is no such file' : message
    throw new SqlError('CANNOT_OPEN', `Cannot read ${path}: ${reason}`, { cause })
  }
  if (start.toString('latin1') !== MAGIC)
    throw new SqlError('CANNOT_OPEN', `${path} is not a SQLite database`)
}

const damaged = (path: string, what: string) => new SqlError('DAMAGED', `${path} is damaged: ${what}`)
