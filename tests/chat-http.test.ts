import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRegistry } from '@promptkeep/client'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Respond } from '../apps/assistant/src/model-endpoint.ts'
import { ask } from './support/ask.ts'
import {
  postChat,
  startAssistantWith,
  type TestAssistant,
  type TestAssistantOptions,
} from './support/chat-http.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

let registry: TestRegistry
let shared: TestAssistant

const hello: Respond = () => ({ content: 'Hello to you.' })
const open = async (options: Partial<TestAssistantOptions> = {}) => {
  const assistant = await startAssistantWith({ trackingUri: registry.url, respond: hello, ...options })
  onTestFinished(() => assistant.stop())
  return assistant
}

beforeAll(async () => {
  registry = await startRegistry()
  shared = await startAssistantWith({ trackingUri: registry.url, respond: hello })
})
afterAll(async () => {
  await shared?.stop()
  await registry?.stop()
})

const get = async (path: string, user = 'local') => {
  const response = await fetch(`${shared.url}${path}`, { headers: { 'X-User-Id': user } })
  return { status: response.status, body: await response.json() }
}

describe('POST /chat', () => {
  it('streams named, numbered events, and the last one carries the lineage', async () => {
    const { response, events } = await postChat(
      shared.url,
      { message: 'hi' },
      { headers: { 'X-Correlation-Id': 'abc' } },
    )
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    expect(response.headers.get('cache-control')).toContain('no-cache')
    expect(events.map(({ name }) => name)).toEqual([
      'start',
      ...Array(events.length - 2).fill('delta'),
      'done',
    ])
    expect(events.map(({ data }) => data.sequence)).toEqual(events.map((_, i) => i))
    expect(events.every(({ data }) => data.correlation_id === 'abc')).toBe(true)
    expect(events.map(({ data }) => data.content ?? '').join('')).toBe('Hello to you.')
    const { data } = events.at(-1) ?? {}
    expect(data).toMatchObject({
      is_final: true,
      is_stored: true,
      is_demo: false,
      model: 'gpt-4.1',
      toolCalls: [],
    })
    expect(data.usage.requests).toBe(1)
    expect(data.fingerprint).toMatch(/^[0-9a-f]{64}$/)
    expect(data.prompts['orchestrator-base']).toMatchObject({ version: 1, alias: 'production' })
    expect(data.prompts['orchestrator-base'].digest).toMatch(/^[0-9a-f]{64}$/)
    expect(['registry', 'cache']).toContain(data.prompts['orchestrator-base'].source)
  })

  it('is read again as it was streamed, lineage and all', async () => {
    const { events } = await postChat(shared.url, { message: 'for later' })
    const { data } = events.at(-1) ?? {}
    const { body } = await get(`/conversations/${data.conversation_id}`)
    const [question, answer] = body.messages
    expect(question).toMatchObject({ role: 'user', content: 'for later', status: 'complete' })
    expect(answer).toMatchObject({
      role: 'assistant',
      content: 'Hello to you.',
      model: 'gpt-4.1',
      is_demo: false,
    })
    expect(answer.fingerprint).toBe(data.fingerprint)
    expect(answer.prompts).toEqual(
      Object.fromEntries(
        Object.entries<{ ageMs: number }>(data.prompts).map(([name, lineage]) => [
          name,
          { ...lineage, ageMs: Math.round(lineage.ageMs) },
        ]),
      ),
    )
  })

  it.each([
    {
      what: 'a long message',
      body: { message: 'é'.repeat(8001) },
      says: "Field 'message': must have at most 8000",
    },
    { what: 'a message that is none', body: { message: 7 }, says: "Field 'message': must be text" },
    { what: 'U+0000', body: { message: 'a\0' }, says: "Field 'message': must not hold U+0000" },
    { what: 'half a character', body: '{"message":"\\ud800"}', says: "Field 'message': must not hold" },
    {
      what: 'a model that is not allowed',
      body: { message: 'x', model: 'gpt-9' },
      says: "Field 'model': must be one of gpt-4.1",
    },
    {
      what: 'too few tokens',
      body: { message: 'x', max_tokens: 0 },
      says: "Field 'max_tokens': must be at least 1",
    },
    {
      what: 'too many tokens',
      body: { message: 'x', max_tokens: 4001 },
      says: "Field 'max_tokens': must be at most 4000",
    },
    {
      what: 'half a token',
      body: { message: 'x', max_tokens: 1.5 },
      says: "Field 'max_tokens': must be a whole number",
    },
    {
      what: 'an id that is none',
      body: { message: 'x', conversation_id: '../1' },
      says: "Field 'conversation_id': must be a UUID",
    },
    { what: 'no message', body: { conversation_id: null }, says: "Field 'message': is required" },
    { what: 'a field that is none', body: { message: 'x', mesage: 'y' }, says: 'unknown fields: mesage' },
    { what: 'several at once', body: { message: 7, max_tokens: 0 }, says: "Field 'max_tokens'" },
    { what: 'no JSON', body: '{', says: 'The body is not JSON' },
    { what: 'no object', body: [1], says: 'The body must be a JSON object' },
  ])('refuses $what with 400 and the field', async ({ body, says }) => {
    const { response, text } = await postChat(shared.url, body, { headers: { 'X-Correlation-Id': 'abc' } })
    expect(response.status).toBe(400)
    const problem = JSON.parse(text)
    expect(problem).toMatchObject({ error: 'Validation error', correlation_id: 'abc' })
    expect(problem.detail).toContain(says)
  })

  it('refuses a body that is not UTF-8', async () => {
    const body = new Uint8Array([...Buffer.from('{"message":"'), 0xff, ...Buffer.from('"}')])
    const response = await fetch(`${shared.url}/chat`, { method: 'POST', body })
    expect([response.status, (await response.json()).detail]).toEqual([400, 'The body is not UTF-8'])
  })

  it('takes 8000 characters, also where each is two units', async () => {
    const { response } = await postChat(shared.url, { message: '😀'.repeat(8000) })
    expect(response.status).toBe(200)
  })

  it('answers 404 for a conversation that is not there, or somebody else’s', async () => {
    const mine = await postChat(shared.url, { message: 'mine' }, { headers: { 'X-User-Id': 'ada' } })
    const { conversation_id } = mine.events.at(-1)?.data ?? {}
    for (const [id, user] of [
      [randomUUID(), 'ada'],
      [conversation_id, 'bob'],
    ]) {
      const { response } = await postChat(
        shared.url,
        { message: 'x', conversation_id: id },
        { headers: { 'X-User-Id': String(user) } },
      )
      expect(response.status).toBe(404)
      expect((await get(`/conversations/${id}`, String(user))).status).toBe(404)
    }
    expect((await get('/conversations', 'bob')).body.total).toBe(0)
    expect((await get(`/conversations/${conversation_id}`, 'ada')).status).toBe(200)
  })

  it('keeps the line alive while the model thinks', async () => {
    const slow: Respond = async () => {
      await sleep(300)
      return { content: 'at last' }
    }
    const { url } = await open({ respond: slow, env: { HEARTBEAT_SECONDS: '0.05' } })
    const { text, events } = await postChat(url, { message: 'x' })
    expect(text).toContain(': heartbeat\n\n')
    expect(events.at(-1)?.name).toBe('done')
  })

  it('ends with an error event when the time is up', async () => {
    const { url } = await open({ respond: () => ({ hang: true }), env: { TIMEOUT_SECONDS: '0.3' } })
    const { events } = await postChat(url, { message: 'x' })
    expect(events.at(-1)).toMatchObject({
      name: 'error',
      data: { sequence: -1, is_final: true, error_type: 'timeout', is_stored: true },
    })
  })

  it('ends the model’s request when the user goes away, and keeps what was said', async () => {
    const { url, lines } = await open({ respond: () => ({ content: 'word '.repeat(2000), pauseMs: 5 }) })
    const gone = new AbortController()
    const response = await fetch(`${url}/chat`, {
      method: 'POST',
      body: '{"message":"x"}',
      signal: gone.signal,
    })
    const reader = response.body?.getReader()
    let text = ''
    while (!text.includes('event: delta')) text += new TextDecoder().decode((await reader?.read())?.value)
    gone.abort()
    await expect
      .poll(() => lines.some(({ event }) => event === 'chat.cancelled'), { timeout: 5000 })
      .toBe(true)
    const stored = async () => {
      const { items } = await (await fetch(`${url}/conversations`)).json()
      const { messages } = await (await fetch(`${url}/conversations/${items[0].id}`)).json()
      return messages[1]
    }
    await expect
      .poll(stored, { timeout: 5000 })
      .toMatchObject({ status: 'cancelled', error_type: 'cancelled' })
    expect((await stored()).content).toMatch(/^word /)
  })
})

it('lets the demo model answer under no other name', async () => {
  const assistant = await startAssistantWith({ trackingUri: registry.url })
  onTestFinished(() => assistant.stop())
  const refused = await postChat(assistant.url, { message: 'x', model: 'gpt-4.1' })
  expect(refused.response.status).toBe(400)
  const { events } = await postChat(assistant.url, { message: 'x' })
  expect(events.at(-1)?.data).toMatchObject({ model: 'demo', is_demo: true })
})

describe('X-Promptkeep-Alias', () => {
  const chain = (alias: string) => ({ headers: { 'X-Promptkeep-Alias': alias } })

  it('is refused unless overriding is allowed', async () => {
    const { response, text } = await postChat(shared.url, { message: 'x' }, chain('experiment'))
    expect(response.status).toBe(403)
    expect(text).toContain('ALLOW_PROMPT_OVERRIDE')
  })

  it('chooses the versions of that turn, asked for anew', async () => {
    const { url } = await open({ env: { ALLOW_PROMPT_OVERRIDE: 'true' } })
    const client = createRegistry({ trackingUri: registry.url, env: {} })
    onTestFinished(() => client.close())
    const { version } = await client.register({ name: 'orchestrator-base', template: 'Be brief.' })
    await client.setAlias('orchestrator-base', 'experiment', version)
    const { events } = await postChat(url, { message: 'x' }, chain('experiment, production'))
    const { prompts } = events.at(-1)?.data ?? {}
    expect(prompts['orchestrator-base']).toMatchObject({ version, alias: 'experiment', source: 'registry' })
    expect(prompts.onboarding).toMatchObject({ version: 1, alias: 'production', source: 'registry' })
    const usual = await postChat(url, { message: 'x' })
    expect(usual.events.at(-1)?.data.prompts['orchestrator-base']).toMatchObject({
      version: 1,
      alias: 'production',
    })
    for (const bad of ['a,,b', 'latest', 'experiment, v3'])
      expect((await postChat(url, { message: 'x' }, chain(bad))).response.status).toBe(400)
    await postChat(url, { message: 'x' }, chain('nope'))
    expect((await (await fetch(`${url}/ready`)).json()).status).toBe('ready')
  })
})

describe('the other routes', () => {
  it('pages conversations, newest first, and says how many there are', async () => {
    for (const message of ['first', 'second', 'third']) {
      await postChat(shared.url, { message }, { headers: { 'X-User-Id': 'pager' } })
    }
    const { body } = await get('/conversations?limit=2', 'pager')
    expect(body).toMatchObject({ total: 3, limit: 2, offset: 0 })
    expect(body.items.map(({ title }: { title: string }) => title)).toEqual(['third', 'second'])
    expect(body.items[0]).toMatchObject({ message_count: 2, message_preview: 'Hello to you.' })
    expect((await get('/conversations?limit=2&offset=2', 'pager')).body.items).toHaveLength(1)
  })

  it.each(['limit=0', 'limit=101', 'limit=x', 'offset=-1'])('refuses /conversations?%s', async (query) => {
    expect((await get(`/conversations?${query}`)).status).toBe(400)
  })

  it('ends onboarding on request, per user', async () => {
    const as = { 'X-User-Id': 'newcomer' }
    expect((await get('/onboarding', 'newcomer')).body).toEqual({ is_onboarded: false })
    const response = await fetch(`${shared.url}/onboarding/end`, { method: 'POST', headers: as })
    expect(await response.json()).toEqual({ is_onboarded: true })
    expect((await get('/onboarding', 'newcomer')).body).toEqual({ is_onboarded: true })
    expect((await get('/onboarding', 'other')).body).toEqual({ is_onboarded: false })
    const { events } = await postChat(shared.url, { message: 'x' }, { headers: as })
    expect(events[0]?.data.persona).toBe('returning')
  })

  it('answers JSON for what is not there', async () => {
    expect(await get('/nothing')).toMatchObject({ status: 404, body: { error: 'Not found' } })
  })

  it('tells liveness from readiness', async () => {
    expect(await get('/health')).toMatchObject({ status: 200, body: { status: 'healthy' } })
    expect(await get('/ready')).toMatchObject({
      status: 200,
      body: {
        ...{ status: 'ready', database: 'up', model: { name: 'gpt-4.1', is_demo: false } },
        registry: { state: 'up', drifted: [], last_error: null, last_fallback: null },
      },
    })
  })

  it('is degraded, and still answers, without a registry', async () => {
    const { url } = await open({ trackingUri: 'http://127.0.0.1:1' })
    const { events } = await postChat(url, { message: 'x' })
    expect(events.at(-1)).toMatchObject({
      name: 'done',
      data: { prompts: { 'orchestrator-base': { version: 0, source: 'default' } } },
    })
    const response = await fetch(`${url}/ready`)
    expect(response.status).toBe(200)
    const ready = await response.json()
    expect(ready).toMatchObject({ status: 'degraded', registry: { state: 'down' } })
    expect(ready.registry.last_fallback.code).toBe('UNAVAILABLE')
  })
})

describe('the doors', () => {
  const send = (question: {
    path: string
    method?: string
    headers?: Record<string, string>
    body?: string
  }) => ask(shared.url, { method: 'GET', ...question })
  const post = (headers: Record<string, string>) =>
    send({
      method: 'POST',
      path: '/chat',
      body: '{"message":"x"}',
      headers: { 'content-type': 'application/json', ...headers },
    })
  const port = () => new URL(shared.url).port

  it.each(['evil.example', '192.168.1.20', '127.0.0.1.evil.example', 'a b'])(
    'refuse the Host %j',
    async (host) => {
      expect([400, 403]).toContain((await send({ path: '/conversations', headers: { host } })).status)
      expect([400, 403]).toContain((await send({ path: '/', headers: { host } })).status)
    },
  )

  it.each(['localhost', '127.0.0.1', '[::1]:8000'])('let the Host %s in', async (host) => {
    expect((await send({ path: '/conversations', headers: { host } })).status).toBe(200)
  })

  it('refuse what changes something from any page but their own', async () => {
    const own = `127.0.0.1:${port()}`
    for (const origin of ['https://evil.example', 'null', 'http://localhost:3000', `https://${own}`]) {
      expect((await post({ host: own, origin })).status).toBe(403)
    }
    expect((await post({ host: own, origin: `http://${own}` })).status).toBe(200)
    expect((await post({ host: `localhost:${port()}`, origin: `http://localhost:${port()}` })).status).toBe(
      200,
    )
  })

  it('refuse a body over 1 MB', async () => {
    const body = JSON.stringify({ message: 'x', pad: 'x'.repeat(1024 * 1024) })
    const response = await fetch(`${shared.url}/chat`, { method: 'POST', body })
    expect([response.status, (await response.json()).error]).toEqual([413, 'Payload too large'])
  })

  it('replace a correlation id that is none, and keep a good one', async () => {
    const correlated = (id: string) => send({ path: '/health', headers: { 'x-correlation-id': id } })
    for (const bad of ['', 'a b', 'x'.repeat(129), '<script>', 'ä']) {
      const { status, headers } = await correlated(bad)
      expect(status).toBe(200)
      expect(headers['x-correlation-id']).toMatch(/^[0-9a-f-]{36}$/)
    }
    expect((await correlated('a.B_9-')).headers['x-correlation-id']).toBe('a.B_9-')
  })

  it.each(['', 'a b', 'x'.repeat(129), 'a/b'])('refuse the user %j', async (user) => {
    expect((await send({ path: '/conversations', headers: { 'x-user-id': user } })).status).toBe(400)
  })

  it('send safe headers with everything', async () => {
    for (const path of ['/', '/page.js', '/health', '/nothing', '/conversations?limit=0']) {
      const { headers } = await fetch(`${shared.url}${path}`)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    }
  })
})

it('logs one line a request, and nothing that anybody said', async () => {
  const { url, lines } = await open()
  await postChat(url, { message: 'my secret garden' }, { headers: { 'X-Correlation-Id': 'abc' } })
  await postChat(url, { message: 'my secret garden', max_tokens: 0 })
  const text = JSON.stringify(lines)
  expect(text).not.toContain('garden')
  expect(text).not.toContain('Hello to you')
  expect(lines.filter(({ event }) => event === 'request.answered')).toMatchObject([
    { correlationId: 'abc', method: 'POST', path: '/chat', status: 200 },
    { status: 400 },
  ])
})
