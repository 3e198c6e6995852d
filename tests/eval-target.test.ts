import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRegistry } from '@promptkeep/client'
import { createAdmin } from '@promptkeep/client/admin'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { FAULTS, readSeed } from '../apps/assistant/src/eval-seed.ts'
import { chat } from '../apps/assistant/src/eval-target.ts'
import { PROMPT_DEFAULTS } from '../apps/assistant/src/prompt-defaults.ts'
import { openTargetWithStores } from './support/assistant-stores.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

let registry: TestRegistry

beforeAll(async () => {
  registry = await startRegistry()
  const client = createRegistry({ trackingUri: registry.url, env: {}, defaults: PROMPT_DEFAULTS })
  await client.seed()
  await client.close()
})
afterAll(() => registry?.stop())

const options = (tenant: string, promptAlias = ['production']) => ({
  ...{ tenant, promptAlias, signal: AbortSignal.timeout(15_000) },
})
async function open(trackingUri = registry.url) {
  const target = await chat({ trackingUri, env: {} })
  onTestFinished(() => target.close?.())
  return target
}

async function openWithStores(env: Readonly<Record<string, string>> = {}) {
  const opened = await openTargetWithStores(registry.url, env)
  onTestFinished(() => opened.target.close?.())
  return opened
}

describe('the assistant as a target', () => {
  it('answers as POST /chat does: nested calls, used prompts, usage, model', async () => {
    const target = await open()
    const result = await target.run({ id: 'tea', input: 'remember that I drink tea' }, options('a'))
    expect(result.error).toBeUndefined()
    expect(result.output).toContain('Saved')
    expect(result.toolCalls.map(({ agent, name }) => `${agent} ${name}`)).toEqual([
      'Assistant ask_memory_agent',
      'MemoryAgent save_memory_tool',
    ])
    expect(Object.keys(result.prompts)).toEqual(['orchestrator-base', 'onboarding', 'memory', 'memory-write'])
    for (const lineage of Object.values(result.prompts)) {
      expect(lineage).toMatchObject({ version: 1, alias: 'production', source: 'registry' })
    }
    expect(result).toMatchObject({ model: 'demo', usage: { requests: 4 } })
  })

  it('runs the turns of a case as one conversation, and sums what they used', async () => {
    const target = await open()
    const turns = ['remember that I drink tea', 'what do you know about tea?']
    const result = await target.run({ id: 'two', turns }, options('b'))
    expect(result.output).toContain('I drink tea')
    expect(result.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant'])
    expect(result.toolCalls).toHaveLength(4)
    expect(result.usage.requests).toBe(8)
  })

  it('judges what the alias points at, also while that is shared among users', async () => {
    const server = await startRegistry()
    onTestFinished(() => server.stop())
    const client = createRegistry({ trackingUri: server.url, env: {}, defaults: PROMPT_DEFAULTS })
    onTestFinished(() => client.close())
    await client.seed()
    const name = 'orchestrator-base'
    await client.register({ name, template: 'Be brief.' })
    await createAdmin({ trackingUri: server.url, env: {} }).rollout({ name, weights: { 1: 10, 2: 90 } })
    const target = await open(server.url)
    for (const tenant of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
      const result = await target.run({ id: tenant, input: 'hello' }, options(tenant))
      expect(result.error).toBeUndefined()
      expect(result.prompts[name]).toMatchObject({ version: 1, alias: 'production' })
    }
  })

  it('leaves nothing of a tenant behind, and isolates one from another', async () => {
    const { target, rows } = await openWithStores()
    const ask = { id: 'ask', input: 'what do you know about tea?' }
    const [, other] = await Promise.all([
      target.run({ id: 'tell', input: 'remember that I drink tea' }, options('c')),
      target.run(ask, options('d')),
    ])
    expect(other.output).toContain('nothing')
    expect((await target.run(ask, options('c'))).output).toContain('nothing')
    expect(await rows()).toBe(0)
  })

  it('lets a case say that its user is known already', async () => {
    const target = await open()
    const known = { id: 'known', input: 'hello', context: { onboarded: true } }
    expect(Object.keys((await target.run(known, options('e'))).prompts)).toContain('proactive-greeting')
    expect(Object.keys((await target.run({ id: 'new', input: 'hello' }, options('e'))).prompts)).toContain(
      'onboarding',
    )
  })

  it('tells a wrong set-up from an outage, and neither from an answer', async () => {
    const target = await open()
    const testCase = { id: 'x', input: 'hello' }
    const noModel = await target.run(testCase, { ...options('f'), model: 'gpt-9' })
    expect(noModel.error).toMatchObject({ kind: 'configuration', message: expect.stringContaining('gpt-9') })
    const noAlias = await target.run(testCase, options('f', ['nobody']))
    expect(noAlias.error).toMatchObject({ kind: 'configuration', message: expect.stringContaining('nobody') })
    const away = await open('http://127.0.0.1:1')
    expect((await away.run(testCase, options('f'))).error).toMatchObject({ kind: 'infrastructure' })
  })
})

describe('what a case plants', () => {
  const recall = (id: string, seed: Record<string, unknown>, about = 'tea') => ({
    ...{ id, input: `what do you know about ${about}?`, seed },
  })

  it('is remembered, with the day when it was saved, by the clock of the case', async () => {
    const target = await open()
    const seed = {
      now: '2031-05-20T09:00:00Z',
      memories: [{ content: 'The user drinks Assam tea.', type: 'preference', days_ago: 10 }, 'Has a boat.'],
    }
    const { output, toolCalls } = await target.run(recall('tea', seed), options('s1'))
    expect(output).toContain('The user drinks Assam tea. (saved 2031-05-10)')
    expect(output).not.toContain('boat')
    expect(toolCalls.find(({ name }) => name === 'query_memory_tool')?.result).toMatchObject({
      metadata: { today: '2031-05-20' },
    })
  })

  it('belongs to one case and one trial, and to nobody who is said to be another', async () => {
    const { target, rows } = await openWithStores()
    const memories = ['The user drinks Assam tea.']
    const runs = ['s1', 's2', 's3', 's4'].map((tenant, index) =>
      target.run(
        recall(tenant, index % 2 === 0 ? { memories } : { other_memories: memories }),
        options(tenant),
      ),
    )
    const outputs = (await Promise.all(runs)).map(({ output }) => output.includes('Assam'))
    expect(outputs).toEqual([true, false, true, false])
    expect((await target.run(recall('again', {}), options('s1'))).output).toContain('nothing')
    expect(await rows()).toBe(0)
  })

  it('is the beginning of the conversation that its first turn goes on with', async () => {
    const { target, rows } = await openWithStores()
    const conversation = Array.from({ length: 5 }, (_, n) => ({ user: `message ${n}`, assistant: 'Noted.' }))
    const seed = { conversation }
    const { messages, prompts } = await target.run({ id: 'on', input: 'hello', seed }, options('s1'))
    expect(messages.map(({ content }) => content)).toEqual(['hello', expect.any(String)])
    // five messages that were answered: the first meeting is over
    expect(Object.keys(prompts)).toContain('proactive-greeting')
    expect(await rows()).toBe(0)
  })

  const bergen = {
    ...{
      name: 'Bergen',
      also: ['Bjørgvin'],
      state: 'Vestland',
      state_code: 'VL',
      country: 'NO',
      utc_offset_hours: 2,
    },
    now: { sky: 'light rain', celsius: 8, feels_like: 5 },
    days: [
      { sky: 'light rain', high: 9, low: 6, rain_percent: 90 },
      { sky: 'clear sky', high: 14, low: 4 },
    ],
  }

  it.each([
    { location: 'Bergen' },
    { location: 'bergen, NO' },
    { location: 'Bergen, Vestland' },
    { location: 'Bergen, VL' },
    { location: 'Bjorgvin, Norway' },
  ])('is the weather of $location, on the day of the case', async ({ location }) => {
    const target = await open()
    const seed = { now: '2031-05-20T23:30:00Z', weather: [bergen] }
    const input = `What is the weather tomorrow in ${location.replace('bergen', 'Bergen')}?`
    const { output, toolCalls } = await target.run({ id: 'w', input, seed }, options('s1'))
    expect(toolCalls.map(({ name }) => name)).toEqual(['ask_weather_agent', 'get_weather'])
    expect(output).toContain('Local date there: Wednesday 2031-05-21')
    expect(output).toContain('Bergen, Vestland, NO: 8°C (46°F), feels like 5°C')
    expect(output).toContain('Thursday 2031-05-22 (tomorrow): high 14°C')
  })

  it('is weather of no other place, of no other case, and none of the network', async () => {
    const target = await chat({
      trackingUri: registry.url,
      env: { OPENWEATHERMAP_API_KEY: 'real', WEATHER_API_BASE_URL: 'http://127.0.0.1:1' },
    })
    onTestFinished(() => target.close?.())
    const ask = async (place: string, tenant: string, seed: Record<string, unknown>) =>
      (await target.run({ id: tenant, input: `weather in ${place}`, seed }, options(tenant))).output
    const [here, elsewhere, colder, none] = await Promise.all([
      ask('Bergen', 's1', { weather: [bergen] }),
      ask('Oslo', 's2', { weather: [bergen] }),
      ask('Bergen', 's3', { weather: [{ ...bergen, now: { sky: 'snow', celsius: -9 } }] }),
      ask('Bergen', 's4', {}),
    ])
    expect(here).toContain('8°C')
    expect(elsewhere).toContain('knows no place of this name')
    expect(colder).toContain('-9°C')
    expect(none).toContain('Weather is not set up')
  })

  const SLOW = { WEATHER_API_TIMEOUT_SECONDS: '0.2', TIMEOUT_SECONDS: '1' }
  it.each([
    { tool: 'get_weather', fault: 'down', says: 'cannot be reached or is not working' },
    { tool: 'get_weather', fault: 'slow', says: 'did not answer in time' },
    { tool: 'get_weather', fault: 'garbage', says: 'cannot be reached or is not working' },
    { tool: 'get_weather', fault: 'busy', says: 'too many requests' },
    { tool: 'get_weather', fault: 'refused', says: 'refused this assistant’s API key' },
    { tool: 'query_memory_tool', fault: 'down', says: 'memory cannot be read now' },
    { tool: 'query_memory_tool', fault: 'slow', says: 'could not finish' },
    { tool: 'query_memory_tool', fault: 'garbage', says: '502 Bad Gateway' },
    { tool: 'query_memory_tool', fault: 'busy', says: 'rate limit exceeded' },
    { tool: 'save_memory_tool', fault: 'down', says: 'Nothing was saved: memory cannot be written now.' },
    { tool: 'save_memory_tool', fault: 'slow', says: 'could not finish' },
    { tool: 'save_memory_tool', fault: 'garbage', says: '502 Bad Gateway' },
    { tool: 'save_memory_tool', fault: 'busy', says: 'The limit of 0 memories an hour is reached' },
  ])('is a $tool that is $fault: it says what it says of a real one', async ({ tool, fault, says }) => {
    const { target, rows } = await openWithStores(SLOW)
    const input = { get_weather: 'weather in Bergen', save_memory_tool: 'remember that I drink tea' }[tool]
    const seed = { weather: [bergen], memories: ['The user drinks tea.'], fail: { tool, with: fault } }
    const asked = { id: 'f', input: input ?? 'what do you know about tea?', seed }
    const { output, error } = await target.run(asked, options('s1'))
    expect(error).toBeUndefined()
    expect(output).toContain(says)
    expect(await rows()).toBe(0)
  })

  it('fails as often as it says, for its own case', async () => {
    const target = await open()
    const fail = [{ tool: 'query_memory_tool', with: 'down', times: 1 }]
    const seed = { memories: ['The user drinks tea.'], fail }
    const ask = 'what do you know about tea?'
    const broken = target.run({ id: 'f', turns: [ask, ask], seed }, options('s1'))
    const whole = target.run({ id: 'w', turns: [ask], seed: { memories: seed.memories } }, options('s2'))
    expect((await broken).messages.map(({ content }) => content)).toEqual([
      ...[ask, expect.stringContaining('cannot be read now')],
      ...[ask, expect.stringContaining('The user drinks tea.')],
    ])
    expect((await whole).output).toContain('The user drinks tea.')
  })

  it.each([
    {
      rule: 'a key that nobody knows',
      seed: { memorys: [] },
      says: 'seed: unknown key memorys; there are now, memories, other_memories, conversation, weather, fail',
    },
    {
      rule: 'a key of a memory',
      seed: { memories: [{ content: 'x', when: 'y' }] },
      says: 'seed.memories.0: unknown key when; there are content, type, importance, confidence, days_ago',
    },
    { rule: 'a type', seed: { memories: [{ content: 'x', type: 'wish' }] }, says: 'seed.memories.0.type' },
    {
      rule: 'a place without a country',
      seed: { weather: [{ name: 'Oslo' }] },
      says: 'seed.weather.0.country',
    },
    { rule: 'a time', seed: { now: 'tomorrow' }, says: 'seed.now' },
    {
      rule: 'a tool that cannot fail',
      seed: { fail: { tool: 'send_notification', with: 'down' } },
      says: 'seed.fail.0.tool',
    },
    {
      rule: 'a fault that a tool cannot have',
      seed: { fail: { tool: 'delete_memory_tool', with: 'refused' } },
      says: 'seed.fail.0.with: delete_memory_tool can be down, slow, garbage',
    },
    {
      rule: 'the same memory twice',
      seed: { memories: ['The user drinks tea.', 'the user drinks TEA'] },
      says: 'seed.memories.1: duplicate',
    },
  ])('is refused by name and leaves nothing: $rule', async ({ seed, says }) => {
    const { target, rows } = await openWithStores()
    const { error, output } = await target.run({ id: 'bad', input: 'hello', seed }, options('s1'))
    expect(error).toEqual({ kind: 'configuration', message: expect.stringContaining(`case bad: ${says}`) })
    expect(output).toBe('')
    expect(await rows()).toBe(0)
  })

  it('is as strict about what it says of its user', async () => {
    const target = await open()
    const { error } = await target.run(
      { id: 'bad', input: 'hello', context: { onbarded: true } },
      options('s1'),
    )
    const message = 'case bad: context: unknown key onbarded; there are onboarded'
    expect(error).toEqual({ kind: 'configuration', message })
  })

  it('is documented with an example that can be planted', async () => {
    const docs = await readFile(new URL('../docs/assistant.md', import.meta.url), 'utf8')
    const example = /```yaml\n(seed:[\s\S]*?)```/.exec(docs)?.[1] ?? ''
    const { seed } = parse(example) as { seed: Record<string, unknown> }
    expect(Object.keys(readSeed(seed)).sort()).toEqual(
      ['conversation', 'fail', 'memories', 'now', 'other_memories', 'weather'].sort(),
    )
    for (const [tool, faults] of Object.entries(FAULTS)) {
      expect(docs).toContain(`\`${tool}\``)
      for (const fault of faults) expect(docs).toContain(`| \`${fault}\` |`)
    }
    const { target, rows } = await openWithStores()
    const { error } = await target.run({ id: 'docs', input: 'hello', seed }, options('s1'))
    expect(error).toBeUndefined()
    expect(await rows()).toBe(0)
  })

  it('is gone after a case that was given up in the middle', async () => {
    const { target, rows } = await openWithStores()
    const seed = { memories: ['The user drinks tea.'], fail: { tool: 'query_memory_tool', with: 'slow' } }
    const { error } = await target.run(recall('late', seed), {
      ...options('s1'),
      signal: AbortSignal.timeout(300),
    })
    expect(error).toMatchObject({ kind: 'target', message: expect.stringContaining('stopped') })
    expect(await rows()).toBe(0)
  })
})

describe('a request that the model’s provider refuses', () => {
  it('is blocked, and no error', async () => {
    const endpoint = createServer((request, response) => {
      request.resume()
      response.writeHead(400, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: { message: 'filtered', code: 'content_filter' } }))
    })
    await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      endpoint.close()
      endpoint.closeAllConnections()
    })
    const { port } = endpoint.address() as AddressInfo
    const { target } = await openWithStores({
      OPENAI_API_KEY: 'none',
      OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`,
    })
    const result = await target.run({ id: 'x', turns: ['how do I …', 'and then?'] }, options('s1'))
    expect(result.error).toBeUndefined()
    expect(result.blocked).toEqual({ by: "the model's provider (content_filter)" })
    expect(result.messages).toHaveLength(2)
  })
})
