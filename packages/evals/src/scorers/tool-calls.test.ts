import { describe, expect, it } from 'vitest'
import { answer } from './answer.fixture.ts'
import type { ScorerKind } from './define-scorer.ts'
import { delegation, toolCalls } from './tool-calls.ts'

/** `agent/tool` as a call. */
const call = (text: string) => {
  const [agent = '', name = ''] = text.split('/')
  return { agent, name, arguments: {}, result: null }
}

interface Row {
  readonly rule: string
  readonly options?: object
  readonly expected: readonly string[]
  readonly calls: readonly string[]
  readonly score: number
  readonly reason?: string
}

async function score(kind: ScorerKind, key: string, { options = {}, expected, calls }: Row) {
  const bound = kind.bind(options)
  if (!('forCase' in bound)) throw new Error(JSON.stringify(bound))
  const testCase = { expected: { [key]: expected } }
  expect(bound.issues(testCase)).toEqual([])
  return bound.forCase(testCase)?.(answer({ toolCalls: calls.map(call) }))
}

describe('delegation', () => {
  const memory = 'Assistant/ask_memory_agent'
  const weather = 'Assistant/ask_weather_agent'
  const nested = 'MemoryAgent/query_memory_tool'
  it.each<Row>([
    { rule: 'sees who was asked', expected: ['memory'], calls: [memory, nested], score: 1 },
    { rule: 'expects nobody', expected: [], calls: [], score: 1, reason: 'none, as expected' },
    { rule: 'minds a needless one', expected: [], calls: [memory], score: 0, reason: 'not expected: memory' },
    { rule: 'misses one', expected: ['memory'], calls: [nested], score: 0, reason: 'missing memory' },
    { rule: 'gives a share', expected: ['memory', 'weather'], calls: [weather], score: 0.5 },
    { rule: 'is exact unless told', expected: ['memory'], calls: [memory, weather], score: 0.5 },
    {
      rule: 'may be a subset',
      options: { match: 'subset' },
      expected: ['memory'],
      calls: [memory, weather],
      score: 1,
    },
    {
      rule: 'takes an empty subset as nobody',
      options: { match: 'subset' },
      expected: [],
      calls: [weather],
      score: 0,
    },
    { rule: 'does not count repetitions', expected: ['memory'], calls: [memory, memory], score: 1 },
    {
      rule: 'knows other names for specialists',
      options: { tool: 'to-*' },
      expected: ['billing'],
      calls: ['Desk/to-billing', 'Desk/to-'],
      score: 1,
    },
  ])('$rule', async (row) => {
    const got = await score(delegation, 'delegations', row)
    expect(got?.score).toBe(row.score)
    if (row.reason) expect(got?.reason).toBe(row.reason)
  })

  it('refuses a pattern without a place for the specialist', () => {
    expect(delegation.bind({ tool: 'ask_agent' })).toMatchObject([{ path: ['tool'] }])
  })

  it('says nothing about a case that expects nothing', () => {
    const bound = delegation.bind({})
    expect('forCase' in bound && bound.forCase({ expected: { contains: ['x'] } })).toBe(undefined)
  })
})

describe('tool_calls', () => {
  it.each<Row>([
    {
      rule: 'sees a nested call',
      expected: ['save'],
      calls: ['A/ask_memory_agent', 'Memory/save'],
      score: 1,
    },
    { rule: 'minds the agent when it is named', expected: ['A/save'], calls: ['Memory/save'], score: 0 },
    { rule: 'knows both spellings at once', expected: ['A/x', 'y'], calls: ['A/x', 'B/y'], score: 1 },
    {
      rule: 'minds more calls when exact',
      options: { match: 'exact' },
      expected: ['save'],
      calls: ['Memory/save', 'Memory/query'],
      score: 0.5,
      reason: 'not expected: query',
    },
  ])('$rule', async (row) => {
    const got = await score(toolCalls, 'tool_calls', row)
    expect(got?.score).toBe(row.score)
    if (row.reason) expect(got?.reason).toBe(row.reason)
  })

  it('refuses what names no tool, with its place in the case', () => {
    const bound = toolCalls.bind({})
    const issues = 'issues' in bound ? bound.issues({ expected: { tool_calls: ['ok', 'a/b/c'] } }) : []
    expect(issues).toMatchObject([{ path: ['expected', 'tool_calls', 1] }])
  })
})
