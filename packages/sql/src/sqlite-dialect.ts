import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { createMutex, type Mutex } from './mutex.ts'
import { openSqlite, type SqliteConnection } from './sqlite.ts'

/**
 * Kysely over one file: writes and transactions take turns on one connection; reads outside a transaction go over
 * a second, read-only one, so they neither wait for a writer nor see what it has not committed. A database in
 * memory has one connection only, and there reads take turns with the writers for the same reason.
 *
 * Await nothing but the database inside a transaction: the others wait for it meanwhile, and a writer of another
 * process waits without doing anything else (SQLite's own waiting is synchronous), 5 s at most.
 */
export function sqliteDialect(path: string): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => createDriver(path),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

/** What Kysely is handed for one query or one transaction. */
interface Lease extends DatabaseConnection {
  begin(): Promise<void>
  end(statement: 'commit' | 'rollback'): void
}

function createDriver(path: string): Driver {
  const turns = createMutex()
  let writer: SqliteConnection
  let reader: SqliteConnection | undefined

  const leases = new WeakMap<DatabaseConnection, Lease>()
  const leaseOf = (connection: DatabaseConnection) => leases.get(connection) as Lease

  return {
    async init() {
      writer = openSqlite({ path })
      if (path !== ':memory:') reader = openSqlite({ path, readOnly: true })
    },
    async acquireConnection() {
      const lease = createLease(writer, reader, turns)
      leases.set(lease, lease)
      return lease
    },
    beginTransaction: (connection) => leaseOf(connection).begin(),
    async commitTransaction(connection) {
      leaseOf(connection).end('commit')
    },
    async rollbackTransaction(connection) {
      leaseOf(connection).end('rollback')
    },
    async releaseConnection() {},
    async destroy() {
      await turns.run(() => {
        reader?.close()
        // Leaves one file behind, complete in itself.
        if (path !== ':memory:') writer.run('pragma wal_checkpoint(TRUNCATE)')
        writer.close()
      })
    },
  }
}

function createLease(writer: SqliteConnection, reader: SqliteConnection | undefined, turns: Mutex): Lease {
  let release: (() => void) | undefined

  return {
    async begin() {
      release = await turns.acquire()
      try {
        // IMMEDIATE: a transaction that reads first and writes later would fail half-way if another process wrote.
        writer.execute('begin immediate')
      } catch (error) {
        release()
        throw error
      }
    },
    end(statement) {
      // After a failed commit Kysely rolls back once more; by then the turn may be somebody else's.
      if (!release) return
      try {
        // A full disk ends the transaction by itself, and a second rollback would hide why.
        if (statement === 'commit' || writer.inTransaction) writer.run(statement)
      } catch (error) {
        // It must not stay open for the next one.
        if (writer.inTransaction) writer.run('rollback')
        throw error
      } finally {
        release()
        release = undefined
      }
    },
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      if (release) return run<R>(writer, query)
      if (reader && isRead(query)) return run<R>(reader, query)
      return turns.run(() => (isWrite(query) ? runAlone<R>(writer, query) : run<R>(writer, query)))
    },
    // biome-ignore lint/correctness/useYield: there is nothing to yield, and Kysely asks for a generator.
    async *streamQuery() {
      throw new Error('Streaming is not supported: the binding reads whole results')
    },
  }
}

const isRead = ({ query, sql }: CompiledQuery) =>
  query.kind === 'SelectQueryNode' || (query.kind === 'RawNode' && /^\s*select\b/i.test(sql))

const isWrite = ({ sql }: CompiledQuery) => /^\s*(insert|update|delete|replace|with)\b/i.test(sql)

/** A write outside a transaction gets one: then the lock is what it waits for, and nothing is left half-run. */
function runAlone<R>(writer: SqliteConnection, query: CompiledQuery): QueryResult<R> {
  writer.execute('begin immediate')
  try {
    const result = run<R>(writer, query)
    writer.run('commit')
    return result
  } catch (error) {
    if (writer.inTransaction) writer.run('rollback')
    throw error
  }
}

function run<R>(connection: SqliteConnection, { sql, parameters }: CompiledQuery): QueryResult<R> {
  const { rows, changes } = connection.run(sql, parameters)
  return { rows: rows as R[], numAffectedRows: BigInt(changes) }
}
