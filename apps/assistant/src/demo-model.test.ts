import { describe, expect, it } from 'vitest'
import { demoReply } from './demo-model.ts'
import type { ChatRequestMessage, ChatTool } from './model-endpoint.ts'

const tool = (name: string, ...required: string[]): ChatTool => ({
  type: 'function',
  function: {
    name,
    parameters: { properties: Object.fromEntries(required.map((key) => [key, {}])), required },
  },
})
const ORCHESTRATOR = [tool('ask_memory_agent', 'input'), tool('ask_weather_agent', 'input')]
const MEMORY = [
  tool('query_memory_tool', 'query', 'types'),
  tool('save_memory_tool', 'content', 'memory_type', 'confidence', 'importance', 'replaces_id'),
]
const WEATHER = [tool('get_weather', 'location', 'include_forecast', 'forecast_days')]
const SYSTEM = '## Manner\n\nYou look after one person.\n\nTone: dry as dust.\n\nMore.'

function reply(
  tools: readonly ChatTool[],
  asked: string,
  options: { results?: string[]; system?: string; given?: string } = {},
) {
  const messages: ChatRequestMessage[] = [
    { role: 'system', content: options.system ?? SYSTEM },
    { role: 'user', content: asked },
    ...(options.results ?? []).map((content) => ({ role: 'tool', content })),
  ]
  const headers = options.given ? { 'x-promptkeep-prompts': options.given } : {}
  return demoReply({
    path: '/v1/chat/completions',
    headers,
    text: '',
    body: { model: 'demo', messages, tools },
  })
}
const called = (name: string, args: object) => ({ toolCalls: [{ name, arguments: args }] })

describe('as the orchestrator', () => {
  it.each([
    ['Remember that I take my coffee black', 'ask_memory_agent'],
    ['please remember: my sister lives in Lisbon', 'ask_memory_agent'],
    ['What do you know about coffee?', 'ask_memory_agent'],
    ['do you remember my sister?', 'ask_memory_agent'],
    ["What's the weather in Oslo?", 'ask_weather_agent'],
    ['New York weather tomorrow', 'ask_weather_agent'],
  ])('%s -> %s', (asked, name) => {
    expect(reply(ORCHESTRATOR, asked)).toEqual(called(name, { input: asked }))
  })

  it.each(['Good morning', 'What is whether?', 'Tell me about Oslo', 'I love the weather'])(
    '%s -> answers itself',
    (asked) => {
      expect(reply(ORCHESTRATOR, asked)).toHaveProperty('content')
    },
  )

  it('takes its tone line from the instructions and ends with the versions it was given', () => {
    const { content } = reply(ORCHESTRATOR, 'Hello', { given: 'orchestrator-base/3, onboarding/0' }) as {
      content: string
    }
    expect(content).toContain('The tone I was given: dry as dust.')
    expect(content).toContain('I am a demo')
    expect(content.split('\n').at(-1)).toBe(
      'Demo model · orchestrator-base v3 · onboarding (bundled default)',
    )
  })

  it('quotes the first line of a text that sets no tone', () => {
    expect(reply(ORCHESTRATOR, 'Hello', { system: '# Title\n\nAhoy, matey.\nMore.' })).toMatchObject({
      content: expect.stringContaining('The tone I was given: Ahoy, matey.'),
    })
  })

  it('passes on what the specialists said', () => {
    expect(reply(ORCHESTRATOR, 'weather in Oslo', { results: ['Oslo: 3°C.'] })).toEqual({
      content: 'Oslo: 3°C.\n\nDemo model',
    })
  })
})

describe('as the memory specialist', () => {
  it('saves what it is told to remember', () => {
    expect(reply(MEMORY, 'Remember that I take my coffee black')).toEqual(
      called('save_memory_tool', {
        content: 'The user says: I take my coffee black',
        memory_type: 'fact',
        confidence: 0.95,
        importance: 0.5,
        replaces_id: null,
      }),
    )
  })

  it.each([
    ['What do you know about my coffee?', 'my coffee'],
    ['What do you know about me?', ''],
    ['What do you remember?', ''],
  ])('%s -> searches for "%s"', (asked, query) => {
    expect(reply(MEMORY, asked)).toEqual(called('query_memory_tool', { query, types: null }))
  })

  it.each([
    [{ action: 'stored', content: 'X' }, 'Saved: X'],
    [{ action: 'duplicate', message: 'Known already.' }, 'Known already.'],
    [{ action: 'refused', message: 'Over the limit.' }, 'Over the limit.'],
    [{ memories: [{ content: 'X', context: 'saved 2026-01-01' }] }, '- X (saved 2026-01-01)'],
    [{ memories: [] }, 'I know nothing about that.'],
    [{ memories: [], metadata: { error: 'rate limit exceeded' } }, 'I could not look: rate limit exceeded.'],
  ])('%o -> %s', (result, want) => {
    expect(reply(MEMORY, 'anything', { results: [JSON.stringify(result)] })).toEqual({ content: want })
  })
})

describe('as the weather specialist', () => {
  it.each([
    ['weather in Oslo', 'Oslo', false],
    ['Weather for New York tomorrow?', 'New York', true],
    ['what is the weather in paris', 'paris', false],
    ['Rio de Janeiro weather', 'Rio de Janeiro', false],
    ['weather at Frankfurt am Main, please', 'Frankfurt am Main', false],
    ['weather forecast in São Paulo, Brazil please', 'São Paulo, Brazil', true],
  ])('%s -> looks up %s', (asked, location, include_forecast) => {
    expect(reply(WEATHER, asked)).toEqual(
      called('get_weather', { location, include_forecast, forecast_days: null }),
    )
  })

  it('passes the report on', () => {
    expect(reply(WEATHER, 'weather in Oslo', { results: ['Oslo: 3°C.'] })).toEqual({ content: 'Oslo: 3°C.' })
  })
})
