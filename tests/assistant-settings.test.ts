import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createLog } from '../apps/assistant/src/log.ts'
import type { Respond } from '../apps/assistant/src/model-endpoint.ts'
import { createScript, type Step } from '../apps/assistant/src/scripted-model.ts'
import { postChat, startAssistantWith } from './support/chat-http.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

/** Each setting does what its name says, in the running assistant. What a setting may be is tested beside `config.ts`. */

let registry: TestRegistry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry?.stop())

async function run(env: Record<string, string>, respond: Respond = () => ({ content: 'Yes.' })) {
  const assistant = await startAssistantWith({ trackingUri: registry.url, respond, env })
  onTestFinished(() => assistant.stop())
  const last = async (body: object) => (await postChat(assistant.url, body)).events.at(-1)?.data
  return { ...assistant, last, bodies: () => assistant.model?.requests.map(({ body }) => body) ?? [] }
}
const call = (name: string, args: object): Step => ({ toolCalls: [{ name, arguments: args }] })

describe('the model’s settings', () => {
  it('OPENAI_MODEL and ALLOWED_MODELS name who answers', async () => {
    const { last, bodies } = await run({ OPENAI_MODEL: 'small', ALLOWED_MODELS: 'big' })
    expect((await last({ message: 'x' })).model).toBe('small')
    expect((await last({ message: 'x', model: 'big' })).model).toBe('big')
    expect(bodies().map(({ model }) => model)).toEqual(['small', 'big'])
  })

  it('TEMPERATURE and MAX_TOKENS are sent where no prompt says otherwise, a request’s own before either', async () => {
    const weather = [
      call('ask_weather_agent', { input: 'Oslo' }),
      { content: 'rain' },
      { content: 'It rains.' },
    ]
    const { last, bodies } = await run(
      { TEMPERATURE: '0.9', MAX_TOKENS: '123' },
      createScript([...weather, ...weather]).respond,
    )
    await last({ message: 'x' })
    // `weather` says its own temperature and no limit, `orchestrator-base` says both
    expect(bodies().map(({ temperature, max_tokens }) => [temperature, max_tokens])).toEqual([
      [0.7, 2000],
      [0.2, 123],
      [0.7, 2000],
    ])
    await last({ message: 'x', max_tokens: 50 })
    expect(
      bodies()
        .slice(3)
        .map(({ max_tokens }) => max_tokens),
    ).toEqual([50, 50, 50])
  })

  it('HISTORY_TOKEN_BUDGET limits what is sent again', async () => {
    const { last, bodies } = await run({ HISTORY_TOKEN_BUDGET: '0' })
    const { conversation_id } = await last({ message: 'one' })
    await last({ message: 'two', conversation_id })
    expect(bodies().map(({ messages }) => messages.map(({ role }) => role))).toEqual([
      ['system', 'user'],
      ['system', 'user'],
    ])
  })
})

describe('the memory’s limits', () => {
  const save = (content: string): Step[] => [
    call('ask_memory_agent', { input: content }),
    call('save_memory_tool', { content, memory_type: 'fact' }),
    { content: 'ok' },
    { content: 'ok' },
  ]
  const results = (data: { toolCalls: { name: string; result: unknown }[] }) =>
    data.toolCalls.filter(({ name }) => name.endsWith('_tool')).map(({ result }) => result)

  it('MEMORY_WRITES_PER_CONVERSATION and MEMORY_WRITES_PER_HOUR are kept', async () => {
    const { last } = await run(
      { MEMORY_WRITES_PER_CONVERSATION: '1', MEMORY_WRITES_PER_HOUR: '2' },
      createScript(['a', 'b', 'c', 'd'].flatMap((name) => save(`User knows ${name}`))).respond,
    )
    const first = await last({ message: 'a' })
    expect(results(first)).toMatchObject([{ action: 'stored' }])
    const { conversation_id } = first
    expect(results(await last({ message: 'b', conversation_id }))).toMatchObject([
      { action: 'refused', message: expect.stringContaining('1 memories a conversation') },
    ])
    expect(results(await last({ message: 'c' }))).toMatchObject([{ action: 'stored' }])
    expect(results(await last({ message: 'd' }))).toMatchObject([
      { action: 'refused', message: expect.stringContaining('2 memories an hour') },
    ])
  })

  it('MEMORY_READS_PER_MINUTE is kept', async () => {
    const query: Step[] = [
      call('ask_memory_agent', { input: 'x' }),
      call('query_memory_tool', { query: 'tea' }),
      { content: 'ok' },
      { content: 'ok' },
    ]
    const { last } = await run({ MEMORY_READS_PER_MINUTE: '1' }, createScript([...query, ...query]).respond)
    expect(results(await last({ message: 'x' }))).toMatchObject([{ metadata: { remaining_rate_limit: 0 } }])
    expect(results(await last({ message: 'x' }))).toMatchObject([
      { metadata: { error: expect.stringContaining('rate limit') } },
    ])
  })
})

describe('the weather’s settings', () => {
  async function weatherServer(isSilent = false) {
    const urls: URL[] = []
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://local')
      urls.push(url)
      if (isSilent) return
      const current = { name: 'Oslo', weather: [{ description: 'snow' }], wind: { speed: 1 } }
      const body = url.pathname.endsWith('/forecast')
        ? { list: [], city: { timezone: 0 } }
        : { ...current, main: { temp: -3, feels_like: -7, humidity: 90 } }
      response.statusCode = url.pathname.endsWith('/direct') ? 404 : 200
      response.end(JSON.stringify(body))
    }).listen(0, '127.0.0.1')
    await new Promise((listening) => server.once('listening', listening))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/data/2.5`, urls }
  }
  const ask = (days: number): Step[] => [
    call('ask_weather_agent', { input: 'Oslo' }),
    call('get_weather', { location: 'Oslo', forecast_days: days }),
    { content: 'ok' },
    { content: 'ok' },
  ]
  const told = (data: { toolCalls: { name: string; result: string }[] }) =>
    data.toolCalls.find(({ name }) => name === 'get_weather')?.result

  it('WEATHER_API_BASE_URL is asked with OPENWEATHERMAP_API_KEY; the two caches are each their own', async () => {
    const { base, urls } = await weatherServer()
    const { last } = await run(
      {
        ...{ WEATHER_API_BASE_URL: base, OPENWEATHERMAP_API_KEY: 'k3y' },
        ...{ WEATHER_CACHE_CURRENT_SECONDS: '0', WEATHER_CACHE_FORECAST_SECONDS: '600' },
      },
      createScript([...ask(1), ...ask(1)]).respond,
    )
    expect(told(await last({ message: 'x' }))).toContain('snow')
    await last({ message: 'x' })
    const asked = (name: string) => urls.filter(({ pathname }) => pathname.endsWith(name))
    expect(asked('/weather')).toHaveLength(2)
    expect(asked('/forecast')).toHaveLength(1)
    expect(urls.every(({ searchParams }) => searchParams.get('appid') === 'k3y')).toBe(true)
  })

  it('WEATHER_API_TIMEOUT_SECONDS ends a look-up', async () => {
    const { base } = await weatherServer(true)
    const { last } = await run(
      { WEATHER_API_BASE_URL: base, OPENWEATHERMAP_API_KEY: 'k', WEATHER_API_TIMEOUT_SECONDS: '0.2' },
      createScript(ask(0)).respond,
    )
    expect(told(await last({ message: 'x' }))).toContain('did not answer in time')
  })
})

describe('stopping', () => {
  it('ends open streams first and stores what was said', async () => {
    const assistant = await startAssistantWith({
      trackingUri: registry.url,
      respond: () => ({ content: 'word '.repeat(2000), pauseMs: 5 }),
    })
    const response = await fetch(`${assistant.url}/chat`, { method: 'POST', body: '{"message":"x"}' })
    const text = response.text()
    await assistant.stop()
    expect(await text).toContain('"error_type":"cancelled"')
    expect(await text).toContain('"is_stored":true')
  })

  it('SHUTDOWN_GRACE_SECONDS cuts off who never ends', async () => {
    const assistant = await startAssistantWith({
      trackingUri: registry.url,
      env: { SHUTDOWN_GRACE_SECONDS: '0.1' },
    })
    const socket = connect(Number(new URL(assistant.url).port), '127.0.0.1')
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => {})
    socket.write('POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{')
    await new Promise((resolve) => setTimeout(resolve, 100))
    await assistant.stop()
    await closed
    await expect(fetch(assistant.url)).rejects.toThrow()
  })

  it('is the same stop when it is called twice', async () => {
    const assistant = await startAssistantWith({ trackingUri: registry.url })
    await Promise.all([assistant.stop(), assistant.stop()])
  })
})

describe('the log', () => {
  function lines(level: 'info' | 'warn') {
    const written: string[] = []
    const sink = new Writable({
      write(chunk, _, done) {
        written.push(String(chunk))
        done()
      },
    })
    return { log: createLog(level, sink), written }
  }

  it('is one JSON object a line, from LOG_LEVEL on', () => {
    const { log, written } = lines('warn')
    log.info({ a: 1 }, 'too.quiet')
    log.warn({ a: 1 }, 'loud.enough')
    expect(written).toHaveLength(1)
    expect(JSON.parse(written[0] ?? '')).toMatchObject({
      event: 'loud.enough',
      a: 1,
      time: expect.any(String),
    })
  })

  it('strikes out what looks like a secret', () => {
    const { log, written } = lines('info')
    log.info({ apiKey: 's3cret', err: { headers: { a: 's3cret' } }, nested: { password: 's3cret' } }, 'x.y')
    expect(written.join('')).not.toContain('s3cret')
  })
})
