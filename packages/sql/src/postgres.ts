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

/**
 * Kysely over a pool of connections. 64-bit integers are read as numbers: nothing that this project stores is
 * larger than 2^53.
 *
 * @param onError - Hears of connections that broke while nobody used them. Without a listener `pg` would end the
 * process when Postgres goes away.
 */
export function postgresDialect(url: string, onError: (error: Error) => void): Dialect {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'promptkeep',
    connectionTimeoutMillis: 5000,
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
    } as pg.CustomTypesConfig,
  })
  pool.on('error', onError)
  // The pool listens to idle connections only: one that breaks in use would end the process, too. Whoever uses it
  // learns of it from the query.
  pool.on('connect', (client) => client.on('error', () => {}))
  return new PostgresDialect({
    pool: {
      async connect() {
        const client = await pool.connect().catch((error: unknown) => {
          // Whatever the reason, also a password that was changed: nobody can be asked.
          throw new SqlError('UNAVAILABLE', 'Postgres cannot be reached', { cause: error })
        })
        return {
          query: guarded(client),
          release: () => client.release(),
        }
      },
      end: () => pool.end(),
    },
  })
}

function guarded(client: pg.PoolClient): PostgresPoolClient['query'] {
  function query<R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>
  function query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>
  function query(sql: string | PostgresCursor<unknown>, parameters: readonly unknown[] = []): unknown {
    if (typeof sql !== 'string') throw new Error('Streaming is not supported')
    const values = parameters.map((value, index) => checkValue(value, index + 1))
    return client.query(sql, values).catch((error: unknown) => {
      throw postgresOutage(error)
    })
  }
  return query
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
