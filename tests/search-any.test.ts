import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask } from './support/ask.ts'
import { databases, type TestDatabase } from './support/databases.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

/** Comparisons that mostly make sense, so that they reach the database. */
const value = fc.constantFrom(
  ...[
    "'a'",
    '"a%"',
    "'%'",
    "''",
    "'\\'",
    "'[*?]'",
    '1',
    '-0.5',
    '1e400',
    '.5',
    '9007199254740993',
    '0',
    "'1'",
  ],
  ...["('a', 'b')", "('1')", "('%',)"],
)
const comparator = fc.constantFrom('=', '!=', '<', '<=', '>', '>=', 'LIKE', 'ilike', 'IN', 'NOT IN')
const runKey = fc.constantFrom(
  ...['run_id', 'run_name', 'status', 'start_time', 'end_time', 'created', 'user_id', 'artifact_uri'],
  ...['metrics.a', 'params.a', 'tags.a', 'tags.`mlflow.runName`', 'dataset.name'],
)
const experimentKey = fc.constantFrom('name', 'experiment_id', 'creation_time', 'last_update_time', 'tags.a')
const modelKey = fc.constantFrom('name', 'tags.a', 'tags.`mlflow.prompt.is_prompt`')
const versionKey = fc.constantFrom('name', 'version_number', 'run_id', 'source_path', 'tags.a')

const filterOf = (key: fc.Arbitrary<string>) => {
  const comparison = fc.tuple(key, comparator, value).map((parts) => parts.join(' '))
  const isNull = fc.tuple(key, fc.constantFrom('IS NULL', 'IS NOT NULL')).map((parts) => parts.join(' '))
  const one = fc.oneof({ weight: 9, arbitrary: comparison }, { weight: 1, arbitrary: isNull })
  return fc.array(one, { maxLength: 3 }).map((clauses) => clauses.join(' AND '))
}
const orderOf = (key: fc.Arbitrary<string>) =>
  fc
    .uniqueArray(key, { maxLength: 3 })
    .chain((keys) =>
      fc
        .array(fc.constantFrom('', ' ASC', ' DESC'), { minLength: keys.length, maxLength: keys.length })
        .map((directions) => keys.map((one, index) => one + directions[index])),
    )

const searches = [
  { call: 'runs/search', key: runKey, fixed: { experiment_ids: ['0'] } },
  { call: 'experiments/search', key: experimentKey, fixed: { max_results: 5 } },
  { call: 'registered-models/search', key: modelKey, fixed: undefined },
  { call: 'model-versions/search', key: versionKey, fixed: undefined },
] as const

describe.each(databases)('any search on $database $skip', ({ skip, start }) => {
  let database: TestDatabase
  let registry: TestRegistry
  beforeAll(async () => {
    if (skip !== '') return
    database = await start()
    registry = await startRegistry(database.env)
    const tags = [{ key: 'a', value: 'a%' }]
    const prompt = [...tags, { key: 'mlflow.prompt.is_prompt', value: 'true' }]
    await post('registered-models/create', { name: 'a', tags: prompt })
    await post('model-versions/create', { name: 'a', source: 'dummy-source', tags: prompt })
    const { body } = await post('runs/create', { experiment_id: '0', start_time: 1, tags })
    const { run_id } = (body as { run: { info: { run_id: string } } }).run.info
    const metrics = [{ key: 'a', value: 'NaN', timestamp: 1 }]
    await post('runs/log-batch', { run_id, metrics, params: tags })
  })
  afterAll(async () => {
    await registry?.stop()
    await database?.stop()
  })

  const post = (call: string, body: object) =>
    ask(registry.url, {
      method: 'POST',
      path: `/api/2.0/mlflow/${call}`,
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })
  const get = (call: string, filter: string, order_by: readonly string[]) =>
    ask(registry.url, {
      method: 'GET',
      path: `/api/2.0/mlflow/${call}`,
      query: [['filter', filter], ...order_by.map((one) => ['order_by', one] as const)],
    })

  it.skipIf(skip !== '').each(searches)(
    '$call is answered or refused, and never fails',
    async ({ call, key, fixed }) => {
      const counts = { answered: 0, refused: 0 }
      await fc.assert(
        fc.asyncProperty(filterOf(key), orderOf(key), async (filter, order_by) => {
          const { status, body } = await (fixed
            ? post(call, { ...fixed, filter, order_by })
            : get(call, filter, order_by))
          expect([200, 400], `${filter} | ${order_by}: ${JSON.stringify(body)}`).toContain(status)
          counts[status === 200 ? 'answered' : 'refused'] += 1
        }),
        { numRuns: 300 },
      )
      expect(counts.answered).toBeGreaterThan(10)
      expect(counts.refused).toBeGreaterThan(10)
    },
  )
})
