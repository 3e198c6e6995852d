import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { replayTracking, type TrackingReplay } from './mlflow-replay/tracking-replay.ts'
import { type Answer, ask } from './support/ask.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

/** Calls of the recordings that an eval run does not need: they are not served yet. */
const LEFT_OUT = {
  'experiments/delete': 4,
  'experiments/delete-experiment-tag': 2,
  'experiments/restore': 2,
  'experiments/set-experiment-tag': 4,
  'experiments/update': 4,
  'metrics/get-history': 7,
  'runs/delete': 3,
  'runs/delete-tag': 3,
  'runs/restore': 2,
}

const NOT_DELETED = 'the delete before it is left out'

/** Where our answer is not MLflow's, and why. One that no longer deviates must leave this list. */
const DEVIATIONS: Readonly<Record<string, string>> = {
  '20 get deleted by id': NOT_DELETED,
  '20 get deleted by name': NOT_DELETED,
  '20 search deleted only': NOT_DELETED,
  '20 create run in a deleted experiment': NOT_DELETED,
  '21 get deleted run': NOT_DELETED,
  '21 log to a deleted run': NOT_DELETED,
  '21 search deleted': NOT_DELETED,
  '21 get_run after all': NOT_DELETED,
  '22 raw: metric value string "abc"': 'MLflow drops the metric and says 200; a lost number is a 400 here',
  '26 runs/create empty body (default experiment? no)':
    'same code; the message names the field instead of SQL',
}

describe('recorded tracking clients', () => {
  let registry: TestRegistry
  let replay: TrackingReplay
  beforeAll(async () => {
    registry = await startRegistry()
    replay = await replayTracking(registry.url)
  })
  afterAll(() => registry.stop())

  it('are answered as MLflow does, but for the deviations listed', () => {
    const unexpected = replay.deviations.filter(({ at }) => !Object.hasOwn(DEVIATIONS, at))
    expect(unexpected).toEqual([])
    expect([...new Set(replay.deviations.map(({ at }) => at))].sort()).toEqual(Object.keys(DEVIATIONS).sort())
  })

  it('are replayed whole, but for the calls that are not served', () => {
    expect(replay.sent).toBe(212)
    expect(replay.leftOut).toEqual(LEFT_OUT)
  })
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
