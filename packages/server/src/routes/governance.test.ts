import { digestOf, silent } from '@promptkeep/client/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createApp } from '../app.ts'
import { openStore } from '../store/open-store.ts'
import { ANYBODY, type Store } from '../store/store.ts'

let store: Store
let app: ReturnType<typeof createApp>
beforeEach(async () => {
  store = await openStore('sqlite::memory:')
  app = createApp({ store, log: silent, newId: () => 'id', elapsedMs: () => 0, random: () => 0 })
})
afterEach(() => store.close())

const post = async (path: string, body: object) => {
  const headers = { 'content-type': 'application/json' }
  const init = { method: 'POST', headers, body: JSON.stringify(body) }
  const answer = await app.request(`/api/promptkeep/1.0/${path}`, init)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}
const get = async (path: string) => {
  const answer = await app.request(`/api/promptkeep/1.0/${path}`)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}
const seed = (more: object = {}) =>
  post('seed', { name: 'memory', alias: 'production', template: 'Hi', ...more })

describe('capabilities', () => {
  it('tell that this is our server', async () => {
    expect(await get('capabilities')).toEqual({
      status: 200,
      body: {
        server: 'promptkeep',
        version: expect.stringMatching(/^\d+\.\d+\.\d+/),
        seed: true,
        compare_and_set: true,
        history: true,
        resolve: true,
        live: true,
        fleet: true,
        policies: true,
      },
    })
  })
})

describe('seed', () => {
  it('registers an absent prompt with all that it holds, and points the alias', async () => {
    const content = { model_config: { temperature: 0.2 }, response_format: { type: 'object' } }
    const digest = await digestOf({
      template: 'Hi',
      modelConfig: content.model_config,
      responseFormat: content.response_format,
    })
    const tags = { 'promptkeep.source_file': 'prompts/memory.md' }
    expect(await seed({ ...content, tags, commit_message: 'first', description: 'What it is for' })).toEqual({
      status: 200,
      body: { outcome: 'seeded', current: { version: 1, digest } },
    })
    expect(await store.prompts.get('memory')).toMatchObject({
      description: 'What it is for',
      tags: { 'mlflow.prompt.is_prompt': 'true' },
      aliases: [{ alias: 'production', version: 1 }],
    })
    expect(await store.versions.get('memory', 1)).toMatchObject({
      description: 'first',
      source: 'dummy-source',
      tags: {
        'mlflow.prompt.is_prompt': 'true',
        'mlflow.prompt.text': 'Hi',
        _mlflow_prompt_type: 'text',
        _mlflow_prompt_model_config: '{"temperature":0.2}',
        _mlflow_prompt_response_format: '{"type":"object"}',
        'promptkeep.digest': digest,
        'promptkeep.seeded': 'true',
        'promptkeep.source_file': 'prompts/memory.md',
      },
    })
  })
  it('takes the commit message for the description of the prompt, as MLflow does', async () => {
    await seed({ commit_message: 'first' })
    expect((await store.prompts.get('memory')).description).toBe('first')
  })
  it('keeps a chat', async () => {
    const template = [{ role: 'system', content: 'Hi', name: 'x' }]
    const { body } = await seed({ template })
    expect(body).toMatchObject({ outcome: 'seeded', current: { digest: await digestOf({ template }) } })
    expect((await store.versions.get('memory', 1)).tags).toMatchObject({
      'mlflow.prompt.text': JSON.stringify(template),
      _mlflow_prompt_type: 'chat',
    })
  })
  it('never touches what is there, and says what the alias says', async () => {
    await seed()
    const before = await store.versions.get('memory', 1)
    const digest = await digestOf({ template: 'Hi' })
    expect((await seed({ template: 'another text' })).body).toEqual({
      outcome: 'skipped',
      current: { version: 1, digest },
    })
    expect(await store.versions.get('memory', 1)).toEqual(before)
    expect(await store.changes.after(0, 10)).toHaveLength(2)
  })
})

describe('alias', () => {
  beforeEach(async () => {
    await seed()
    const tags = { 'mlflow.prompt.is_prompt': 'true', 'mlflow.prompt.text': 'two' }
    const draft = { name: 'memory', source: 'dummy-source', runId: '', runLink: '', description: '', tags }
    await store.versions.create(draft, { ...ANYBODY, actor: 'ada' })
  })
  const move = (more: object = {}) =>
    post('alias', { name: 'memory', alias: 'production', version: 2, ...more })
  const current = async () => (await store.aliases.find('memory', 'production'))?.version

  it('points an alias, and answers the change that it logged', async () => {
    const { status, body } = await move({ reason: 'it is better' })
    expect(status).toBe(200)
    expect(body.change).toMatchObject({
      kind: 'alias.moved',
      prompt: 'memory',
      alias: 'production',
      from: 1,
      to: 2,
      actor: 'anonymous',
      reason: 'it is better',
    })
    expect(await current()).toBe(2)
  })
  it.each(['v3', 'v١', 'V𝟗'])('refuses the alias %s, which MLflow reserves', async (alias) => {
    expect(await move({ alias })).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('reserved') },
    })
  })
  it('points it only from where it is expected to be', async () => {
    expect((await move({ expected: 2 })).status).toBe(409)
    expect((await move({ expected: null })).body).toMatchObject({
      error_code: 'RESOURCE_CONFLICT',
      current: 1,
    })
    expect(await current()).toBe(1)
    expect((await move({ expected: 1 })).status).toBe(200)
    expect(await current()).toBe(2)
  })
  it('answers the same request again with the change that it made, as when the first answer was lost', async () => {
    const first = await move({ expected: 1, request_id: 'r-1' })
    expect(first.status).toBe(200)
    expect(await move({ expected: 1, request_id: 'r-1' })).toEqual(first)
    expect(await store.changes.after(3, 10)).toHaveLength(1)
    expect(await move({ version: 1, request_id: 'r-1' })).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('needs an id of its own') },
    })
  })
  it.each(['', 'x'.repeat(201), 7])('refuses the request id %j', async (given) => {
    const { status, body } = await move({ request_id: given })
    expect(status).toBe(400)
    expect(body.message).toMatch(/^request_id must be a text of 1 to 200 characters; got /)
    expect(await current()).toBe(1)
  })
  it('of a prompt that is absent says so; MLflow’s own route says it of the version, as MLflow does', async () => {
    expect(await move({ name: 'nope', version: 1 })).toMatchObject({
      status: 404,
      body: { message: 'Registered Model with name=nope not found' },
    })
    const answer = await app.request('/api/2.0/mlflow/registered-models/alias', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'nope', alias: 'production', version: '1' }),
    })
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({ message: 'Model Version (name=nope, version=1) not found' })
  })
  it('tells that an alias is unset where another version was expected', async () => {
    expect(await move({ alias: 'experiment', expected: 1 })).toMatchObject({
      status: 409,
      body: { current: null },
    })
    expect((await move({ alias: 'experiment', expected: null })).status).toBe(200)
  })
})

describe('changes', () => {
  beforeEach(async () => {
    await seed()
    for (const alias of ['a', 'b', 'c']) await post('alias', { name: 'memory', alias, version: 1 })
  })
  const kinds = (body: Record<string, unknown>) =>
    (body.changes as { kind: string; alias?: string }[]).map((it) => it.alias ?? it.kind)

  it('come newest first', async () => {
    const { body } = await get('changes?prompt=memory')
    expect(kinds(body)).toEqual(['c', 'b', 'a', 'production', 'version.registered'])
    expect(body).not.toHaveProperty('next_page_token')
  })
  it('come in pages that together are all of them, also while new ones arrive', async () => {
    const first = await get('changes?prompt=memory&limit=2')
    await post('alias', { name: 'memory', alias: 'd', version: 1 })
    const second = await get(`changes?prompt=memory&limit=2&page_token=${first.body.next_page_token}`)
    const third = await get(`changes?prompt=memory&limit=2&page_token=${second.body.next_page_token}`)
    expect([first, second, third].map(({ body }) => kinds(body))).toEqual([
      ['c', 'b'],
      ['a', 'production'],
      ['version.registered'],
    ])
    expect(third.body).not.toHaveProperty('next_page_token')
  })
  it('of a deleted prompt stay', async () => {
    await store.prompts.delete('memory', { ...ANYBODY, actor: 'ada' })
    const { body } = await get('changes?prompt=memory&limit=1')
    expect(body.changes).toMatchObject([{ kind: 'prompt.deleted', actor: 'ada' }])
  })
  it.each([
    ['limit=0', 'limit must be a whole number from 1 to 1000; got "0"'],
    ['limit=1001', 'limit must be a whole number from 1 to 1000; got "1001"'],
    ['limit=x', 'limit must be a whole number from 1 to 1000; got "x"'],
    ['page_token=x', 'page_token must be a next_page_token of an earlier answer; got "x"'],
  ])('with %s are refused', async (query, message) => {
    expect(await get(`changes?prompt=memory&${query}`)).toMatchObject({ status: 400, body: { message } })
  })
})
