import { silent } from '@promptkeep/client/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createApp } from '../app.ts'
import { openStore } from '../store/open-store.ts'
import { ANYBODY, type Store } from '../store/store.ts'

const START = Date.UTC(2026, 10, 22, 14)
const MINUTE = 60_000

let store: Store
let app: ReturnType<typeof createApp>
let now: number
beforeEach(async () => {
  now = START
  store = await openStore('sqlite::memory:', { now: () => now })
  app = createApp({ store, log: silent, newId: () => 'id', elapsedMs: () => 0, random: () => 0 })
})
afterEach(() => store.close())

const ask = (path: string, init?: RequestInit) => app.request(`/api/promptkeep/1.0/${path}`, init)
async function get(path: string) {
  const answer = await ask(path)
  return { status: answer.status, body: (await answer.json()) as Record<string, never> }
}
async function post(path: string, body: object) {
  const headers = { 'content-type': 'application/json' }
  const answer = await ask(path, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: answer.status, body: (await answer.json()) as Record<string, never> }
}
async function prompt(name: string, ...texts: string[]) {
  await store.prompts.create({ name, description: '', tags: { 'mlflow.prompt.is_prompt': 'true' } })
  for (const text of texts) {
    const tags = { 'mlflow.prompt.is_prompt': 'true', 'mlflow.prompt.text': text }
    const content = { source: 'dummy-source', runId: '', runLink: '', description: '', tags, digest: text }
    await store.versions.create({ name, ...content }, { ...ANYBODY, actor: 'ada' })
  }
}
const point = (name: string, alias: string, to: number, actor = 'ada') =>
  store.aliases.move({ name, alias, to, ...ANYBODY, actor })

describe('resolve', () => {
  beforeEach(async () => {
    await prompt('memory', 'one', 'two')
    await prompt('planner', 'plan')
    await point('memory', 'production', 1)
    await point('memory', 'experiment', 2)
    await point('planner', 'production', 1)
  })

  it('answers many prompts through a chain, as the alias look-up does, and lists what there is not', async () => {
    const { status, body } = await get(
      'resolve?names=planner,memory,ghost,memory&alias=experiment,production',
    )
    expect(status).toBe(200)
    const lookUp = async (name: string, alias: string) => {
      const path = `/api/2.0/mlflow/registered-models/alias?name=${name}&alias=${alias}`
      return ((await (await app.request(path)).json()) as { model_version: object }).model_version
    }
    expect(body).toEqual({
      seq: 6,
      prompts: [
        { name: 'planner', alias: 'production', model_version: await lookUp('planner', 'production') },
        { name: 'memory', alias: 'experiment', model_version: await lookUp('memory', 'experiment') },
      ],
      missing: [{ name: 'ghost', code: 'PROMPT_NOT_FOUND' }],
    })
  })

  it('answers for every name that MLflow takes, as history and rollback do', async () => {
    const name = 'my prompt@é "x" 100% 日本'
    await prompt(name, 'one', 'two')
    await point(name, 'production', 1)
    await point(name, 'production', 2)
    const of = encodeURIComponent(name)
    expect(await get(`resolve?names=memory,${of}`)).toMatchObject({
      status: 200,
      body: { prompts: [{ name: 'memory' }, { name, model_version: { version: '2' } }] },
    })
    expect((await get(`resolve?names=${of}&at=${now}`)).body).toMatchObject({
      prompts: [{ name, version: 2 }],
    })
    expect((await get(`changes?prompt=${of}`)).body).toMatchObject({ changes: { length: 4 } })
    const rolled = await post('rollback', { name, reason: 'worse' })
    expect(rolled).toMatchObject({ status: 200, body: { changes: [{ prompt: name, from: 2, to: 1 }] } })
    for (const bad of ['', ' ', 'a/b', 'a:b', '.', '..', '..a', 'a%00b', 'x'.repeat(1001)])
      for (const path of [`resolve?names=memory,${bad}`, `changes?prompt=${bad}`])
        expect([path, (await get(path)).status]).toEqual([path, 400])
    for (const bad of ['', ' ', 'a/b', '..'])
      expect((await post('rollback', { name: bad, reason: 'x' })).status).toBe(400)
  })

  it('answers 304 while nothing of it changed, and says in both how far the log is', async () => {
    const first = await ask('resolve?names=memory')
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^W\/"[\w-]{43}"$/)
    expect(first.headers.get('promptkeep-seq')).toBe('6')
    await point('planner', 'production', 1) // somebody else's change
    const again = (tag: string, method = 'GET') =>
      ask('resolve?names=memory', { method, headers: { 'If-None-Match': tag } })
    for (const tag of [etag, etag.slice(2), `"other", ${etag}`, '*']) {
      const same = await again(tag)
      expect(same.status).toBe(304)
      expect(await same.text()).toBe('')
      expect(same.headers.get('etag')).toBe(etag)
      expect(same.headers.get('promptkeep-seq')).toBe('7')
    }
    expect((await again(etag, 'HEAD')).status).toBe(304)
    expect((await again('"other"')).status).toBe(200)
    await point('memory', 'production', 2)
    const moved = await again(etag)
    expect(moved.status).toBe(200)
    expect(moved.headers.get('etag')).not.toBe(etag)
  })

  it('sees free tags, which are not in the log', async () => {
    const etag = async () => (await ask('resolve?names=memory')).headers.get('etag')
    const before = await etag()
    await store.versions.setTag('memory', 1, 'team', 'search', ANYBODY)
    expect(await etag()).not.toBe(before)
  })

  it('tells what an alias said at a time', async () => {
    now = START + MINUTE
    const moved = await point('memory', 'production', 2)
    now = START + 10 * MINUTE
    const at = async (time: string) => (await get(`resolve?names=memory&at=${time}`)).body
    expect(await at('2026-11-22T14:00:59Z')).toMatchObject({
      seq: 6,
      at: START + 59_000,
      prompts: [{ name: 'memory', alias: 'production', version: 1, digest: 'one', since: { seq: 4 } }],
    })
    const [past] = (await at(String(START + MINUTE))).prompts as unknown as Record<string, object>[]
    expect(past?.model_version).toMatchObject({
      version: '2',
      tags: expect.arrayContaining([{ key: 'mlflow.prompt.text', value: 'two' }]),
    })
    expect(past?.since).toEqual(moved)
    expect(await at('2026-11-22')).toEqual({
      seq: 0,
      at: Date.UTC(2026, 10, 22),
      prompts: [],
      missing: [{ name: 'memory', code: 'PROMPT_NOT_FOUND' }],
    })
  })

  it.each([
    ['', 'names is required: it must be a text'],
    ['names=', 'names must be a text without "/" and ":"'],
    ['names=a,,b', 'names must be a text without "/" and ":"'],
    ['names=a%00', 'names holds the character U+0000'],
    ['names=a&alias=', 'alias must be letters, digits'],
    ['names=a&alias=v3', 'alias must be an alias; for a version by number'],
    ['names=a&alias=x,x', 'alias must be each alias once in a chain'],
    ['names=a&alias=a,b,c,d,e,f,g,h,i,j,k', 'alias must be a chain of at most 10 aliases; got 11'],
    [`names=${Array.from({ length: 501 }, (_, i) => i)}`, 'names must be at most 500 names; got 501'],
    ['names=a&at=yesterday', 'at must be a time as ISO 8601 with its zone'],
    ['names=a&at=2026-11-22T14:03:00', 'at must be a time as ISO 8601 with its zone'],
  ])('refuses ?%s', async (query, message) => {
    const { status, body } = await get(`resolve?${query}`)
    expect([status, body.error_code]).toEqual([400, 'INVALID_PARAMETER_VALUE'])
    expect(body.message).toContain(message)
  })
})

describe('changes of all prompts', () => {
  beforeEach(async () => {
    await prompt('memory', 'one', 'two') // 1, 2
    now += MINUTE
    await prompt('planner', 'plan') // 3
    await point('memory', 'production', 1, 'grace') // 4
    now += MINUTE
    await point('planner', 'production', 1) // 5
    await point('memory', 'experiment', 2) // 6
    now += MINUTE
    await store.aliases.remove('memory', 'experiment', { ...ANYBODY, actor: 'grace' }) // 7
    await store.prompts.rename('planner', 'planner2', { ...ANYBODY, actor: 'grace' }) // 8
  })
  const seqs = async (query: string) =>
    ((await get(`changes?${query}`)).body.changes as unknown as { seq: number }[]).map(({ seq }) => seq)

  it.each([
    ['', [8, 7, 6, 5, 4, 3, 2, 1]],
    ['kind=alias.moved', [6, 5, 4]],
    ['kind=alias.removed,version.registered', [7, 3, 2, 1]],
    ['kind=alias.moved,alias.moved', [6, 5, 4]],
    ['alias=production', [5, 4]],
    ['actor=grace', [8, 7, 4]],
    ['actor=grace&kind=alias.moved,alias.removed', [7, 4]],
    ['actor=grace&alias=production', [4]],
    ['prompt=memory&kind=alias.moved', [6, 4]],
    ['prompt=memory&alias=experiment&actor=grace', [7]],
    ['prompt=planner2', [8, 5, 3]],
    ['prompt=planner2&alias=production', [5]],
    ['since=2026-11-22T14:02Z', [8, 7, 6, 5]],
    ['until=2026-11-22T14:01Z', [4, 3, 2, 1]],
    ['since=2026-11-22T14:01Z&until=2026-11-22T14:01:59Z', [4, 3]],
    ['since=2026-11-22T14:01Z&alias=production', [5, 4]],
    ['since=2027-01-01', []],
    ['until=2026-01-01', []],
    ['actor=nobody', []],
    ['prompt=memory&actor=nobody', []],
    ['alias=production&limit=1', [5]],
  ])('by %s', async (query, found) => expect(await seqs(query)).toEqual(found))

  it('come in pages, whatever the filter', async () => {
    const first = await get('changes?kind=version.registered,alias.moved&limit=4')
    const second = await get(
      `changes?kind=version.registered,alias.moved&limit=4&page_token=${first.body.next_page_token}`,
    )
    const all = [first, second].flatMap(({ body }) => body.changes as unknown as { seq: number }[])
    expect(all.map(({ seq }) => seq)).toEqual([6, 5, 4, 3, 2, 1])
    expect(second.body).not.toHaveProperty('next_page_token')
  })

  it('come in shorter pages where they are long', async () => {
    await prompt('wordy', 'text')
    for (const letter of ['a', 'b'])
      await store.versions.update('wordy', 1, letter.repeat(2_500_000), ANYBODY)
    const first = await get('changes?prompt=wordy&limit=3')
    const { changes, next_page_token: token } = first.body as unknown as {
      changes: { seq: number; kind: string }[]
      next_page_token: string
    }
    expect(changes.map(({ kind }) => kind)).toEqual(['message.edited'])
    expect(token).toBe(String(changes[0]?.seq))
    const second = await get(`changes?prompt=wordy&limit=3&page_token=${token}`)
    expect(second.body).toMatchObject({
      changes: [{ kind: 'message.edited' }, { kind: 'version.registered' }],
    })
    expect(second.body).not.toHaveProperty('next_page_token')
  })

  it('of a prompt that never was are 404; of one that has none yet they are none', async () => {
    expect((await get('changes?prompt=ghost')).status).toBe(404)
    expect((await get('changes?prompt=ghost&kind=alias.moved')).status).toBe(404)
    await prompt('empty')
    expect(await seqs('prompt=empty')).toEqual([])
    await store.prompts.delete('memory', ANYBODY)
    expect(await seqs('prompt=memory&actor=nobody')).toEqual([])
  })

  it.each([
    ['kind=alias.set', 'kind must be a list with commas of version.registered, alias.moved'],
    ['kind=', 'kind must be a list with commas'],
    ['alias=a/b', 'Invalid alias name'],
    ['actor=%00', 'actor holds the character U+0000'],
    ['since=x', 'since must be a time as ISO 8601'],
    ['until=2026-02-30', 'until must be a time as ISO 8601'],
  ])('refuse %s', async (query, message) => {
    const { status, body } = await get(`changes?${query}`)
    expect(status).toBe(400)
    expect(body.message).toContain(message)
  })
})

describe('rollback', () => {
  beforeEach(async () => {
    await prompt('memory', 'one', 'two')
    await point('memory', 'production', 1) // 3
    await point('memory', 'production', 2) // 4
    await point('memory', 'experiment', 1) // 5
    await point('memory', 'experiment', 2) // 6
  })
  const rollback = (more: object = {}) => post('rollback', { name: 'memory', reason: 'worse', ...more })

  it('undoes the last change of production', async () => {
    const { status, body } = await rollback()
    expect(status).toBe(200)
    const change = { kind: 'alias.moved', alias: 'production', from: 2, to: 1, restores: 3, reason: 'worse' }
    expect(body).toEqual({ changes: [expect.objectContaining({ ...change, seq: 7, actor: 'anonymous' })] })
    expect((await store.aliases.find('memory', 'production'))?.version).toBe(1)
  })
  it('goes back to a row, and takes its alias from there', async () => {
    expect((await rollback({ to_seq: 5 })).body.changes).toMatchObject([
      { alias: 'experiment', to: 1, restores: 5 },
    ])
    expect((await rollback({ to_seq: 2 })).body.changes).toMatchObject([
      { alias: 'production', kind: 'alias.removed', from: 2, restores: 2 },
    ])
    expect((await rollback({ to_seq: 6, alias: 'production' })).body.changes).toMatchObject([
      { alias: 'production', to: 2, restores: 6 },
    ])
  })
  it('compares first, and answers a repeated request with what it did', async () => {
    expect(await rollback({ expected: 1 })).toMatchObject({ status: 409, body: { current: 2 } })
    const first = await rollback({ expected: 2, request_id: 'r-1' })
    expect(first.status).toBe(200)
    expect(await rollback({ expected: 2, request_id: 'r-1' })).toEqual(first)
    expect(await store.changes.after(6, 10)).toHaveLength(1)
  })
  it('says that nothing would change', async () => {
    expect(await rollback({ to_seq: 4 })).toMatchObject({
      status: 409,
      body: { current: 2, message: expect.stringContaining('nothing to roll back') },
    })
  })
  it.each([
    [{ reason: undefined }, 400, 'reason is required'],
    [{ reason: ' ' }, 400, 'reason must be a text that says why'],
    [{ reason: 'x'.repeat(5001) }, 400, 'reason'],
    [{ to_seq: 0 }, 400, 'to_seq must be the number of a change'],
    [{ to_seq: '4' }, 400, 'to_seq must be the number of a change'],
    [{ to_seq: 99 }, 400, 'to_seq must be the number of a change of memory; got 99'],
    [{ alias: 'latest' }, 400, 'alias must be anything but "latest"'],
    [{ alias: 'staging' }, 400, 'The alias staging of memory was never set'],
    [{ expected: 0 }, 400, 'expected must be a whole number from 1'],
    [{ request_id: '' }, 400, 'request_id must be a text of 1 to 200 characters'],
    [{ name: 'a/b' }, 400, 'name must be a text without'],
    [{ name: 'ghost' }, 404, 'Registered Model with name=ghost not found'],
  ])('refuses %j', async (more, status, message) => {
    const answer = await rollback(more)
    expect(answer.status).toBe(status)
    expect(answer.body.message).toContain(message)
    expect(await store.changes.after(6, 10)).toEqual([])
  })
})
