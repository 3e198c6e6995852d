import { join } from 'node:path'
import Libsql from 'libsql'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { PERMISSIONS } from '../packages/server/src/auth/permissions.ts'
import { postgresSkip, startPostgres } from './support/postgres.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'
import { fieldsOf, ROUTES } from './support/registry-routes.ts'

/*
 * Every statement that the routes make finds its rows by an index. What each database says of its plan is read for
 * every statement that a tour over all routes made.
 */

interface Asked {
  readonly sql: string
  readonly parameters: readonly unknown[]
}

/** Tables that stay small whatever is stored, for people keep them; and what a statement lists by itself. */
const SMALL = [
  'policies',
  'tokens',
  'counters',
  'migrations',
  'listed',
  'names',
  'pragma_\\w+',
  'sqlite_\\w+',
]

/** Statements that may walk a table, each with its reason. */
const MAY_WALK: readonly { readonly sql: RegExp; readonly unsorted?: true; readonly reason: string }[] = [
  {
    sql: /\border by\b[\s\S]*\blimit\b/i,
    unsorted: true,
    reason: 'a page in the order of an index or of the primary key, which ends where the page does',
  },
  { sql: /\bfrom "?experiments"?/i, reason: 'one row an experiment, and people make those' },
  { sql: /(min|max)\("?seq"?\)/i, reason: 'the first and the last row of the primary key' },
]

const MLFLOW = '/api/2.0/mlflow'
const OWN = '/api/promptkeep/1.0'

/** Asks every route for something that it finds. */
async function tour(url: string): Promise<void> {
  const send = async (method: string, path: string, body?: object) => {
    const query = method === 'GET' && body ? `?${new URLSearchParams(body as Record<string, string>)}` : ''
    const answer = await fetch(`${url}${path}${query}`, {
      method,
      ...(body &&
        method !== 'GET' && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    const text = await answer.text()
    expect(answer.status, `${method} ${path} ${text}`).toBeLessThan(500)
    return text.startsWith('{') ? JSON.parse(text) : {}
  }
  const name = 'toured'
  await send('POST', `${OWN}/seed`, { name, alias: 'production', template: 'Hi {{ you }}' })
  await send('POST', `${MLFLOW}/registered-models/create`, { name: 'plain' })
  const { experiment_id: experiment } = await send('POST', `${MLFLOW}/experiments/create`, { name: 'toured' })
  const { run } = await send('POST', `${MLFLOW}/runs/create`, { experiment_id: experiment })
  const known = { name, model: 'plain', alias: 'production', version: '1', run: run.info.run_id, experiment }

  const searches = [
    { filter: "name LIKE 'tour%'" },
    { filter: "name = 'toured'" },
    { filter: "tags.team = 'search'" },
    { filter: "tags.`mlflow.prompt.is_prompt` = 'true'" },
    { filter: "tags.`mlflow.prompt.is_prompt` = 'true' AND tags.team = 'search'", order_by: 'name DESC' },
    { order_by: 'last_updated_timestamp DESC' },
  ]
  for (const search of searches)
    await send('GET', `${MLFLOW}/registered-models/search`, { ...search, max_results: '5' })
  await send('GET', `${MLFLOW}/model-versions/search`, { filter: "name = 'toured'", max_results: '5' })
  await send('POST', `${MLFLOW}/runs/search`, {
    experiment_ids: [experiment],
    filter: "params.prompt = 'x' and tags.verdict = 'pass' and attributes.status = 'FINISHED'",
    order_by: ['attributes.start_time DESC'],
    max_results: 5,
  })
  for (const filter of [
    { prompt: name },
    { kind: 'alias.moved' },
    { alias: 'production' },
    { actor: 'anonymous' },
    { since: '1000', until: '2000000000000' },
    {},
  ])
    await send('GET', `${OWN}/changes`, filter as object)
  await send('GET', `${OWN}/resolve`, { names: 'toured,absent', alias: 'experiment,production' })
  await send('GET', `${OWN}/resolve`, { names: 'toured', alias: 'production', at: String(Date.now()) })

  const rest = ROUTES.filter(({ method, path }) => !/delete|rename/.test(path) && method !== 'DELETE')
  const last = ROUTES.filter((route) => !rest.includes(route))
  for (const route of [...rest, ...last]) {
    const body = fieldsOf(route).flatMap(([field, { valid }]) => (valid ? [[field, valid(known)]] : []))
    await send(route.method, route.path, Object.fromEntries(body))
  }
  // Those that read no JSON.
  const asked = new Set(ROUTES.map(({ method, path }) => `${method} ${path}`))
  for (const route of PERMISSIONS.keys()) {
    const [method = '', path = ''] = route.split(' ')
    if (!asked.has(route) && !path.startsWith('/ajax-api')) await send(method, path)
  }
  await send('DELETE', `${MLFLOW}/registered-models/delete`, { name })
}

const mayWalk = ({ sql }: Asked, isSorted = false) =>
  MAY_WALK.some((one) => one.sql.test(sql) && !(one.unsorted && isSorted))
const isQuery = (sql: string) => /^\s*(select|insert|update|delete|with)\b/i.test(sql)

describe('the plan of every statement: SQLite', () => {
  const asked = new Map<string, Asked>()
  let server: TestRegistry
  let database: Libsql.Database

  beforeAll(async () => {
    const prepare = Libsql.prototype.prepare
    const spy = vi.spyOn(Libsql.prototype, 'prepare').mockImplementation(function (
      this: Libsql.Database,
      sql: string,
    ) {
      const statement = prepare.call(this, sql) as Libsql.Statement
      for (const method of ['all', 'run'] as const) {
        const real = statement[method] as (...args: unknown[]) => unknown
        Object.assign(statement, {
          [method](...args: unknown[]) {
            if (isQuery(sql)) asked.set(sql, { sql, parameters: (args[0] ?? []) as unknown[] })
            return real.apply(statement, args)
          },
        })
      }
      return statement
    } as typeof prepare)
    server = await startRegistry()
    await tour(server.url)
    spy.mockRestore()
    database = new Libsql(join(server.dir, 'registry.db'))
  }, 60_000)
  afterAll(async () => {
    database?.close()
    await server?.stop()
  })

  it('was asked of a tour that made many', () => expect(asked.size).toBeGreaterThan(60))

  it('finds its rows by an index, and walks no table to sort a page of it', () => {
    const walks = [...asked.values()].flatMap((one) => {
      const plan = database.prepare(`explain query plan ${one.sql}`).all(one.parameters) as {
        detail: string
      }[]
      const scans = plan
        .map(({ detail }) => detail)
        .filter((detail) => /^SCAN (?!\d* ?CONSTANT|\()/.test(detail))
        .filter((detail) => !new RegExp(`^SCAN (${SMALL.join('|')})\\b`).test(detail))
      const isSorted = plan.some(({ detail }) => detail === 'USE TEMP B-TREE FOR ORDER BY')
      return scans.length > 0 && !mayWalk(one, isSorted) ? [{ sql: one.sql, scans }] : []
    })
    expect(walks).toEqual([])
  })

  it('tells a walk from an index', () => {
    const [{ detail }] = database
      .prepare('explain query plan select name from models where description = ?')
      .all(['x']) as [{ detail: string }]
    expect(detail).toMatch(/^SCAN models/)
  })
})

describe.skipIf(postgresSkip)(`the plan of every statement: Postgres ${postgresSkip}`.trim(), () => {
  const asked = new Map<string, Asked>()
  let postgres: Awaited<ReturnType<typeof startPostgres>>
  let server: TestRegistry
  let client: pg.Client

  beforeAll(async () => {
    postgres = await startPostgres()
    const url = await postgres.createDatabase()
    const query = pg.Client.prototype.query
    const spy = vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (
      this: pg.Client,
      ...args: unknown[]
    ) {
      const [sql, parameters = []] = args
      if (typeof sql === 'string' && isQuery(sql))
        asked.set(sql, { sql, parameters: Array.isArray(parameters) ? parameters : [] })
      return (query as (...given: unknown[]) => unknown).apply(this, args)
    } as typeof query)
    server = await startRegistry({ DATABASE_URL: url })
    await tour(server.url)
    spy.mockRestore()
    client = new pg.Client({ connectionString: url })
    await client.connect()
    // Tables of a few rows are read whole whatever indexes they have; now only what has no index is.
    await client.query('set enable_seqscan = off')
  }, 90_000)
  afterAll(async () => {
    await client?.end()
    await server?.stop()
    await postgres?.stop()
  })

  it('was asked of a tour that made many', () => expect(asked.size).toBeGreaterThan(60))

  it('finds its rows by an index', async () => {
    const walks = []
    for (const one of asked.values()) {
      const { rows } = await client.query(`explain ${one.sql}`, [...one.parameters])
      const scans = rows
        .map((row) => row['QUERY PLAN'] as string)
        .filter((line) => /Seq Scan on/.test(line))
        .filter((line) => !new RegExp(`Seq Scan on (${SMALL.join('|')})\\b`).test(line))
      if (scans.length > 0 && !mayWalk(one)) walks.push({ sql: one.sql, scans })
    }
    expect(walks).toEqual([])
  })
})
