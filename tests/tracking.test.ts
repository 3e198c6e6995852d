import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TRACKING_DEVIATIONS, TRACKING_LEFT_OUT, trackingTable } from './mlflow-replay/tracking-deviations.ts'
import { replayTracking, type TrackingReplay } from './mlflow-replay/tracking-replay.ts'
import { type Answer, ask } from './support/ask.ts'
import { databases, type TestDatabase } from './support/databases.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

const doc = new URL('../docs/mlflow-compatibility.md', import.meta.url)
const TABLE = /(?<=<!-- made by the replay of tracking[^>]*-->\n\n)[\s\S]*?(?=\n\n<!-- end -->)/

describe.each(databases)('recorded tracking clients on $database $skip', ({ skip, start }) => {
  let database: TestDatabase
  let registry: TestRegistry
  let replay: TrackingReplay
  beforeAll(async () => {
    if (skip !== '') return
    database = await start()
    registry = await startRegistry(database.env)
    replay = await replayTracking(registry.url)
  })
  afterAll(async () => {
    await registry?.stop()
    await database?.stop()
  })

  it.skipIf(skip !== '')('are answered as MLflow does, but for the deviations listed', () => {
    const unexpected = replay.deviations.filter(({ at }) => !Object.hasOwn(TRACKING_DEVIATIONS, at))
    expect(unexpected).toEqual([])
    const found = [...new Set(replay.deviations.map(({ at }) => at))]
    expect(found.sort()).toEqual(Object.keys(TRACKING_DEVIATIONS).sort())
  })

  it.skipIf(skip !== '')('are replayed whole, but for the calls that are not served', () => {
    expect(replay.sent).toBe(219)
    expect(replay.leftOut).toEqual(TRACKING_LEFT_OUT)
  })

  it.skipIf(skip !== '')(
    'have their deviations in docs/mlflow-compatibility.md (PROMPTKEEP_WRITE_DOCS=1 writes them)',
    async () => {
      const table = trackingTable(replay.deviations)
      if (process.env.PROMPTKEEP_WRITE_DOCS === '1') {
        const text = await readFile(doc, 'utf8')
        await writeFile(
          doc,
          text.replace(TABLE, () => table),
        )
      }
      expect(TABLE.exec(await readFile(doc, 'utf8'))?.[0]).toBe(table)
    },
  )
})

describe('tracking calls', () => {
  let registry: TestRegistry
  let runId: string
  const post = (call: string, body: unknown, api = '/api/2.0/mlflow/') =>
    ask(registry.url, {
      method: 'POST',
      path: api + call,
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })
  const get = (call: string, query: Record<string, string>) =>
    ask(registry.url, { method: 'GET', path: `/api/2.0/mlflow/${call}`, query: Object.entries(query) })

  beforeAll(async () => {
    registry = await startRegistry()
    const made = await post('runs/create', { experiment_id: '0', run_name: 'steady' })
    runId = (made.body as { run: { info: { run_id: string } } }).run.info.run_id
  })
  afterAll(() => registry.stop())

  const stored = async () => [
    (await get('runs/get', { run_id: runId })).body,
    (await post('experiments/search', { max_results: 1000 })).body,
    (await post('runs/search', { experiment_ids: ['0'] })).body,
  ]

  it.each<[string, object, string]>([
    ['U+0000 in a tag', { tags: [{ key: 't', value: 'a\0b' }] }, 'U+0000 at position 1'],
    [
      'a lone surrogate in a param',
      { params: [{ key: 'p', value: '\ud800' }] },
      'a surrogate without its pair',
    ],
    ['a key that is no name', { tags: [{ key: 'a?b', value: '' }] }, "parameter 'tags[0].key'"],
    [
      'a key that climbs',
      { metrics: [{ key: '../m', value: 1, timestamp: 1 }] },
      "parameter 'metrics[0].name'",
    ],
    ['a long key', { params: [{ key: 'k'.repeat(251), value: '' }] }, 'maximum length of 250 characters'],
    ['a boolean for a number', { metrics: [{ key: 'm', value: true, timestamp: 1 }] }, "'metrics[0].value'"],
    ['a metric that is no object', { metrics: ['x'] }, "'metrics[0]'"],
    ['a list that is none', { tags: 'x' }, "parameter 'tags'"],
  ])('refuse a batch with %s, and keep nothing of it', async (_, bad, message) => {
    const before = await stored()
    const good = { metrics: [{ key: 'fine', value: 1, timestamp: 1 }], params: [{ key: 'fine', value: '1' }] }
    const answer = await post('runs/log-batch', { run_id: runId, ...good, ...bad })
    expect(answer).toMatchObject({ status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } })
    expect((answer.body as { message: string }).message).toContain(message)
    expect(await stored()).toEqual(before)
  })

  it('answer the points of a metric page by page, and none of a run that is not there', async () => {
    const metrics = [1, 2, 3].map((n) => ({ key: 'acc', value: n / 4, timestamp: n, step: 3 - n }))
    expect((await post('runs/log-batch', { run_id: runId, metrics })).status).toBe(200)
    const history = async (query: Record<string, string>) =>
      (await get('metrics/get-history', { run_id: runId, metric_key: 'acc', ...query })).body
    expect(await history({})).toEqual({ metrics })
    const { next_page_token: page_token, ...first } = (await history({ max_results: '2' })) as {
      next_page_token: string
    }
    expect(first).toEqual({ metrics: metrics.slice(0, 2) })
    expect(await history({ max_results: '2', page_token })).toEqual({ metrics: metrics.slice(2) })
    expect(await history({ run_id: 'f'.repeat(32) })).toEqual({})
    expect(await history({ page_token: 'x' })).toMatchObject({
      message: 'Invalid page token, could not base64-decode',
    })
  })

  it('cut long values instead of refusing them, by characters', async () => {
    const tags = [{ key: 'long', value: '😀'.repeat(8001) }]
    const params = [{ key: 'long', value: 'p'.repeat(6001) }]
    expect((await post('runs/log-batch', { run_id: runId, tags, params })).status).toBe(200)
    const data = dataOf(await get('runs/get', { run_id: runId }))
    expect(data.tags?.find(({ key }) => key === 'long')?.value).toBe('😀'.repeat(8000))
    expect(data.params?.find(({ key }) => key === 'long')?.value).toBe('p'.repeat(6000))
  })

  it('keep names of tags that JavaScript has other uses for', async () => {
    const tags = ['__proto__', 'constructor', '10', '9'].map((key) => ({ key, value: key }))
    expect((await post('runs/log-batch', { run_id: runId, tags })).status).toBe(200)
    const kept = dataOf(await get('runs/get', { run_id: runId })).tags ?? []
    expect(kept).toEqual(expect.arrayContaining(tags))
  })

  it('take the older run_uuid, and let run_id win', async () => {
    const by = { run_uuid: runId }
    const answers = [
      await get('runs/get', by),
      await post('runs/update', { ...by, run_name: 'steady' }),
      await post('runs/log-metric', { ...by, key: 'm', value: 1, timestamp: 1 }),
      await post('runs/log-parameter', { ...by, key: 'uuid', value: '1' }),
      await post('runs/set-tag', { ...by, key: 'uuid', value: '1' }),
      await post('runs/log-batch', by),
      await post('runs/set-tag', { run_id: runId, run_uuid: 'ffff', key: 'uuid', value: '2' }),
    ]
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
  })

  it('answer under the path of the web UI too', async () => {
    const search = { max_results: 1, view_type: 'ACTIVE_ONLY' }
    const answers = [
      await post('experiments/search', search),
      await post('experiments/search', search, '/ajax-api/2.0/mlflow/'),
    ]
    expect(answers[1]?.body).toEqual(answers[0]?.body)
    expect(answers[1]?.status).toBe(200)
  })
})

interface RunData {
  readonly tags?: readonly { readonly key: string; readonly value: string }[]
  readonly params?: readonly { readonly key: string; readonly value: string }[]
}
const dataOf = ({ body }: Answer) => (body as { run: { data: RunData } }).run.data
