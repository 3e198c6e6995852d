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
import { createGroupCommit, type GroupCommit, type WriteTransaction } from './group-commit.ts'
import { openSqlite, type SqliteConnection } from './sqlite.ts'

/**
 * Kysely over one file: writes and transactions take turns on one connection, and those that are ready together are
 * made durable together (`group-commit.ts`); reads outside a transaction go over a second, read-only one, so they
 * neither wait for a writer nor see what it has not committed. A database in memory has one connection only, and
 * there reads take turns with the writers for the same reason.
 *
 * Await nothing but the database inside a transaction: the others wait for it meanwhile, and a writer of another
 * process does so for 5 s at most.
 */
export function sqliteDialect(path: string): Dialect & Stamped {
  let reader: SqliteConnection | undefined
  const heard = {
    opened(connection: SqliteConnection) {
      reader = connection
    },
  }
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => createDriver(path, heard),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    // Another number after every commit of another connection; and this one commits nothing.
    stamp: () => reader?.run('pragma data_version').rows[0]?.data_version,
  }
}

export interface Stamped {
  /**
   * Changes with every commit, whoever made it: what was read since it was asked for holds as long as it stays.
   * Costs a fraction of a query. `undefined` where the database cannot tell.
   */
  stamp(): unknown
}

/** What Kysely is handed for one query or one transaction. */
interface Lease extends DatabaseConnection {
  begin(): Promise<void>
  commit(): Promise<void>
  rollback(): Promise<void>
}

function createDriver(path: string, heard: { opened(reader: SqliteConnection): void }): Driver {
  let writer: SqliteConnection
  let reader: SqliteConnection | undefined
  let writes: GroupCommit

  const leases = new WeakMap<DatabaseConnection, Lease>()
  const leaseOf = (connection: DatabaseConnection) => leases.get(connection) as Lease

  return {
    async init() {
      writer = openSqlite({ path })
      writes = createGroupCommit(writer)
      if (path === ':memory:') return
      reader = openSqlite({ path, readOnly: true })
      heard.opened(reader)
    },
    async acquireConnection() {
      const lease = createLease(writer, reader, writes)
      leases.set(lease, lease)
      return lease
    },
    beginTransaction: (connection) => leaseOf(connection).begin(),
    commitTransaction: (connection) => leaseOf(connection).commit(),
    rollbackTransaction: (connection) => leaseOf(connection).rollback(),
    async releaseConnection() {},
    async destroy() {
      await writes.alone(() => {
        reader?.close()
        // Leaves one file behind, complete in itself.
        if (path !== ':memory:') writer.run('pragma wal_checkpoint(TRUNCATE)')
        writer.close()
      })
    },
  }
}

function createLease(
  writer: SqliteConnection,
  reader: SqliteConnection | undefined,
  writes: GroupCommit,
): Lease {
  let transaction: WriteTransaction | undefined

  return {
    async begin() {
      transaction = await writes.begin()
    },
    async commit() {
      await transaction?.commit()
    },
    async rollback() {
      await transaction?.rollback()
    },
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      if (transaction) return run<R>(transaction, query)
      if (reader && isRead(query)) return run<R>(reader, query)
      return isWrite(query) ? runInTurn<R>(writes, query) : writes.alone(() => run<R>(writer, query))
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
async function runInTurn<R>(writes: GroupCommit, query: CompiledQuery): Promise<QueryResult<R>> {
  const transaction = await writes.begin()
  let result: QueryResult<R>
  try {
    result = run<R>(transaction, query)
  } catch (error) {
    await transaction.rollback()
    throw error
  }
  await transaction.commit()
  return result
}

function run<R>(on: Pick<WriteTransaction, 'run'>, { sql, parameters }: CompiledQuery): QueryResult<R> {
  const { rows, changes } = on.run(sql, parameters)
  return { rows: rows as R[], numAffectedRows: BigInt(changes) }
}
