import type { Duplex } from 'node:stream'
import {
  type Dialect,
  type PostgresCursor,
  PostgresDialect,
  type PostgresPoolClient,
  type PostgresQueryResult,
} from 'kysely'
import pg from 'pg'
import { SqlError } from './errors.ts'
import { postgresOutage } from './outage.ts'
import { checkValue } from './values.ts'

const INT8 = 20
/** Of a server that takes part in nothing any longer: closing must not wait for its goodbye. */
const CLOSE_TIMEOUT_MS = 2000

export interface PostgresOptions {
  /**
   * Hears of connections that broke while nobody used them. Without a listener `pg` would end the process when Postgres
   * goes away.
   */
  readonly onError: (error: Error) => void
  /** How long one statement may take, also where nothing is heard at all. Absent: as long as it needs. */
  readonly queryTimeoutMs: number | undefined
}

/**
 * Kysely over a pool of connections. 64-bit integers are read as numbers: nothing that this project stores is
 * larger than 2^53.
 */
export function postgresDialect(url: string, { onError, queryTimeoutMs }: PostgresOptions): Dialect {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'promptkeep',
    connectionTimeoutMillis: 5000,
    keepAlive: true,
    // The server gives up a little earlier than we do: then the connection is still good.
    ...(queryTimeoutMs !== undefined && {
      query_timeout: queryTimeoutMs,
      statement_timeout: Math.ceil(queryTimeoutMs * 0.9),
    }),
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
    } as pg.CustomTypesConfig,
  })
  pool.on('error', onError)
  // The pool listens to idle connections only: one that breaks in use would end the process, too. Whoever uses it
  // learns of it from the query.
  const clients = new Set<pg.PoolClient>()
  pool.on('connect', (client) => {
    clients.add(client)
    client.on('error', () => {})
  })
  pool.on('remove', (client) => clients.delete(client))
  return new PostgresDialect({
    pool: {
      async connect() {
        const client = await pool.connect().catch((error: unknown) => {
          // Whatever the reason, also a password that was changed: nobody can be asked.
          throw new SqlError('UNAVAILABLE', 'Postgres cannot be reached', { cause: error })
        })
        const { query, isBroken } = guarded(client)
        // One that fell silent would keep the next to use it waiting for as long again.
        return { query, release: () => client.release(isBroken()) }
      },
      end: () => close(pool, clients),
    },
  })
}

async function close(pool: pg.Pool, clients: ReadonlySet<pg.PoolClient>): Promise<void> {
  const cut = setTimeout(() => {
    for (const client of clients) streamOf(client).destroy()
  }, CLOSE_TIMEOUT_MS)
  await pool.end().finally(() => clearTimeout(cut))
}

/** Not in the types of `pg`, which has no other way to hang up. */
const streamOf = (client: pg.PoolClient) =>
  (client as unknown as { readonly connection: { readonly stream: Duplex } }).connection.stream

function guarded(client: pg.PoolClient): {
  readonly query: PostgresPoolClient['query']
  /** Whether it failed in a way that leaves open what it would answer next. */
  isBroken(): boolean
} {
  let broken: unknown
  function query<R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>
  function query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>
  function query(sql: string | PostgresCursor<unknown>, parameters: readonly unknown[] = []): unknown {
    if (typeof sql !== 'string') throw new Error('Streaming is not supported')
    const values = parameters.map((value, index) => checkValue(value, index + 1))
    // The rollback of what broke: nobody need wait for that, too.
    if (broken !== undefined) return Promise.reject(postgresOutage(broken))
    return client.query(sql, values).catch((error: unknown) => {
      if (!(error instanceof pg.DatabaseError)) broken = error
      throw postgresOutage(error)
    })
  }
  return { query, isBroken: () => broken !== undefined }
}

/** @throws {SqlError} `INVALID_URL`; the message never holds the password. */
export function checkPostgresUrl(url: string): { readonly server: string } {
  let parsed: URL
  try {
    parsed = new URL(url)
    decodeURIComponent(parsed.username + parsed.password + parsed.pathname)
  } catch {
    throw new SqlError(
      'INVALID_URL',
      'The Postgres URL cannot be read; it looks like postgres://user:password@host:5432/database, ' +
        'with special characters of the password written as %XX',
    )
  }
  return { server: `${parsed.host || 'the local socket'}${parsed.pathname}` }
}
