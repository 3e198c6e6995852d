import Libsql from 'libsql'
import { SqlError } from './errors.ts'
import { sqliteOutage } from './outage.ts'
import { countPlaceholders } from './statement.ts'
import { checkValue, type SqlValue } from './values.ts'

type Row = Readonly<Record<string, unknown>>

export interface Result {
  readonly rows: readonly Row[]
  /** Rows changed by a statement that returns none. */
  readonly changes: number
}

/** One connection. Every call is synchronous: the binding has no other kind. */
export interface SqliteConnection {
  /** Runs one statement with `?` placeholders. Integers are stored and read back as integers, bytes as Uint8Array. */
  run(sql: string, parameters?: readonly unknown[]): Result
  /**
   * Runs a statement that may find the database locked, without parameters or rows, and keeps nothing of it. A kept
   * statement that failed so counts as running until it is garbage-collected (the binding cannot reset it), and until
   * then no transaction of this connection can be committed.
   */
  execute(sql: string): void
  /**
   * Starts a transaction that holds the write lock from its first moment on.
   * @returns `undefined`, or the error that says that another connection holds the lock: it is not waited for here
   */
  begin(): SqlError | undefined
  readonly inTransaction: boolean
  close(): void
}

export interface SqliteOptions {
  /** Absolute path, or `:memory:`. */
  readonly path: string
  /** Refuses every write on this connection. */
  readonly readOnly?: boolean
  /** How long a lock held by another process is waited for. Default 5000. */
  readonly busyTimeoutMs?: number
  /** Prepared statements kept. Default 500. */
  readonly maxStatements?: number
}

/**
 * The guard around libsql, and the only place that imports it. The binding aborts the process on a boolean and on
 * `undefined`, cuts text at U+0000, binds every number as REAL (7 in a TEXT column reads '7.0') and takes a wrong
 * number of parameters in silence; none of that passes here. Integers are bound as BigInt, which SQLite stores
 * as INTEGER, or as '7' in a TEXT column.
 *
 * @throws {SqlError} `CANNOT_OPEN`; and its calls `UNAVAILABLE`
 */
export function openSqlite({ path, readOnly, busyTimeoutMs = 5000, maxStatements = 500 }: SqliteOptions) {
  const database = open(path)
  // Least recently used first. Preparing costs more than most look-ups.
  const statements = new Map<string, Prepared>()

  function prepare(sql: string): Prepared {
    const known = statements.get(sql)
    if (known) {
      statements.delete(sql)
      statements.set(sql, known)
      return known
    }
    const parameters = countPlaceholders(sql)
    const statement = database.prepare<unknown[]>(sql)
    const prepared = { statement, parameters, returnsRows: statement.reader }
    statements.set(sql, prepared)
    const oldest = statements.size > maxStatements ? statements.keys().next().value : undefined
    if (oldest !== undefined) statements.delete(oldest)
    return prepared
  }

  function run(sql: string, parameters: readonly unknown[] = []): Result {
    try {
      return runPrepared(sql, parameters)
    } catch (error) {
      throw sqliteOutage(error, busyTimeoutMs)
    }
  }

  function runPrepared(sql: string, parameters: readonly unknown[]): Result {
    const prepared = prepare(sql)
    if (parameters.length !== prepared.parameters)
      throw new SqlError(
        'BAD_STATEMENT',
        `The statement has ${prepared.parameters} placeholders and was given ${parameters.length} parameters`,
      )
    const bound = parameters.map((value, index) => toBinding(checkValue(value, index + 1)))
    try {
      if (!prepared.returnsRows) return { rows: [], changes: prepared.statement.run(bound).changes }
      const rows = prepared.statement.all(bound) as Record<string, unknown>[]
      for (const row of rows) bytesAsUint8Array(row)
      return { rows, changes: 0 }
    } catch (error) {
      // A statement that failed half-way may still hold its snapshot; the next one starts afresh.
      statements.delete(sql)
      throw error
    }
  }

  const connection: SqliteConnection = {
    run,
    execute(sql) {
      try {
        database.exec(sql)
      } catch (error) {
        throw sqliteOutage(error, busyTimeoutMs)
      }
    },
    begin() {
      try {
        connection.execute(`pragma busy_timeout = 0; begin immediate; pragma busy_timeout = ${busyTimeoutMs}`)
        return undefined
      } catch (error) {
        connection.execute(`pragma busy_timeout = ${busyTimeoutMs}`)
        if (isBusy(error)) return error
        throw error
      }
    },
    get inTransaction() {
      return database.inTransaction
    },
    close() {
      statements.clear()
      database.close()
    },
  }
  try {
    configure(connection, { path, readOnly: readOnly ?? false, busyTimeoutMs })
  } catch (error) {
    connection.close()
    throw cannotOpen(path, error)
  }
  return connection
}

interface Prepared {
  readonly statement: Libsql.Statement<unknown[]>
  readonly parameters: number
  readonly returnsRows: boolean
}

/**
 * `synchronous=FULL` is what makes an acknowledged write survive a power cut in WAL mode; SQLite's own default for
 * the others is off, too.
 */
function configure(
  connection: SqliteConnection,
  { path, readOnly, busyTimeoutMs }: Required<Omit<SqliteOptions, 'maxStatements'>>,
) {
  connection.run(`pragma busy_timeout = ${busyTimeoutMs}`)
  if (!readOnly && path !== ':memory:') switchToWal(connection, busyTimeoutMs)
  connection.run('pragma synchronous = FULL')
  connection.run('pragma foreign_keys = ON')
  if (readOnly) connection.run('pragma query_only = ON')
}

/** SQLite does not wait for the lock that this one pragma needs, so two first starts would collide. */
function switchToWal(connection: SqliteConnection, timeoutMs: number) {
  const pauseMs = 20
  for (let waitedMs = 0; ; waitedMs += pauseMs) {
    try {
      connection.execute('pragma journal_mode = WAL')
      const [row] = connection.run('pragma journal_mode').rows
      if (row?.journal_mode !== 'wal')
        throw new SqlError('CANNOT_OPEN', `this place does not support SQLite's WAL (${row?.journal_mode})`)
      return
    } catch (error) {
      if (!isBusy(error) || waitedMs >= timeoutMs) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs)
    }
  }
}

const isBusy = (error: unknown): error is SqlError =>
  error instanceof SqlError && String((error.cause as NodeJS.ErrnoException)?.code).startsWith('SQLITE_BUSY')

function open(path: string) {
  try {
    return new Libsql(path)
  } catch (error) {
    throw cannotOpen(path, error)
  }
}

function cannotOpen(path: string, error: unknown) {
  // Here what SQLite said tells more: a file that never was a database is not a damaged one.
  const cause = error instanceof SqlError && error.code === 'DAMAGED' ? error.cause : error
  const said = cause instanceof Error ? cause.message.trim() : String(cause)
  // The binding wraps SQLite's code in a debug print.
  const reason = said.startsWith('ConnectionFailed') ? 'no file can be opened there' : said
  if (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('SQLITE_CORRUPT'))
    return new SqlError('DAMAGED', `The SQLite database ${path} is damaged: ${reason}; restore a backup`, {
      cause,
    })
  return new SqlError('CANNOT_OPEN', `Cannot open the SQLite database ${path}: ${reason}`, { cause })
}

/** -0 stays a number: no integer says it. Beyond ±(2^53 - 1) a number is not exact anyway, and stays REAL. */
function toBinding(value: SqlValue): SqlValue {
  return typeof value === 'number' && Number.isSafeInteger(value) && !Object.is(value, -0)
    ? BigInt(value)
    : value
}

function bytesAsUint8Array(row: Record<string, unknown>) {
  for (const key in row) {
    const value = row[key]
    if (value instanceof ArrayBuffer) row[key] = new Uint8Array(value)
  }
}
