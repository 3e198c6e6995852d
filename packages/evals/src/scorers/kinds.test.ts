import { describe, expect, it } from 'vitest'
import type { ToolCall } from '../target.ts'
import { answer } from './answer.fixture.ts'
import { SCORER_KINDS } from './kinds.ts'
import type { ScorerArgs } from './scorer.ts'

interface Row {
  readonly rule: string
  readonly options?: object
  readonly expected?: unknown
  readonly says?: string
  readonly given?: Partial<ScorerArgs>
  readonly score: number | 'nothing'
  readonly reason?: string | RegExp
}

async function run(kind: string, { options = {}, expected, says = '', given }: Row) {
  const bound = SCORER_KINDS.find((one) => one.kind === kind)?.bind(options)
  if (!bound || !('forCase' in bound)) throw new Error(JSON.stringify(bound))
  const testCase = { expected: expected === undefined ? {} : { [kind]: expected } }
  expect(bound.issues(testCase)).toEqual([])
  const scorer = bound.forCase(testCase)
  return scorer ? scorer(answer({ output: says, ...given })) : { score: 'nothing', reason: '' }
}

const call = (name: string, args: object = {}, agent = 'Assistant'): ToolCall => ({
  agent,
  name,
  arguments: args,
  result: null,
})

const save = (text: string) => call('save_memory_tool', { content: text, type: 'fact' }, 'MemoryAgent')

const TABLE: Record<string, readonly Row[]> = {
  equals: [
    { rule: 'is the same text', expected: 'Paris', says: ' Paris\n', score: 1 },
    { rule: 'sees case', expected: 'Paris', says: 'paris', score: 0, reason: 'is "paris", not "Paris"' },
    { rule: 'need not see case', options: { ignore_case: true }, expected: 'Paris', says: 'PARIS', score: 1 },
    { rule: 'sees spaces', expected: 'a b', says: 'a  b', score: 0 },
    {
      rule: 'need not see spaces',
      options: { ignore_spaces: true },
      expected: 'a b',
      says: 'a \n b',
      score: 1,
    },
    { rule: 'compares JSON as JSON', expected: { a: 1, b: [2] }, says: '{"b":[2],"a":1}', score: 1 },
    { rule: 'sees the order of lists', expected: [1, 2], says: '[2,1]', score: 0 },
    { rule: 'reads a fence', expected: [1], says: '```json\n[1]\n```', score: 1 },
    { rule: 'wants JSON', expected: 3, says: 'three', score: 0, reason: 'is not JSON' },
    { rule: 'knows null', expected: null, says: 'null', score: 1 },
    { rule: 'does not see how a letter is composed', expected: 'Caf\u00E9', says: 'Cafe\u0301', score: 1 },
    { rule: 'has nothing to say', says: 'x', score: 'nothing' },
  ],
  regex: [
    { rule: 'matches all', expected: ['^\\d+$'], says: '42', score: 1 },
    { rule: 'finds what it finds in time', options: { patterns: ['^(a+)+$'] }, says: 'aaaa', score: 1 },
    {
      rule: 'reads an answer as it is',
      options: { patterns: ['^"\\u2028?\\\\$'] },
      says: '"\u2028\\',
      score: 1,
    },
    {
      rule: 'gives the share',
      options: { patterns: ['a', 'z'] },
      says: 'abc',
      score: 0.5,
      reason: 'does not match /z/',
    },
    { rule: 'has nothing to say', says: 'x', score: 'nothing' },
  ],
  json: [
    { rule: 'is JSON', says: '{}', score: 1 },
    { rule: 'is none', says: '{', score: 0, reason: 'is not JSON' },
    {
      rule: 'fits a schema',
      options: { schema: { type: 'object', required: ['a'] } },
      says: '{"a":1}',
      score: 1,
    },
    {
      rule: 'does not fit',
      options: { schema: { type: 'object', properties: { a: { type: 'string' } } } },
      says: '{"a":1}',
      score: 0,
      reason: 'does not fit the schema: /a must be string',
    },
    {
      rule: 'tells the patterns of a schema apart',
      options: { schema: { properties: { a: { pattern: '^x+$' }, b: { pattern: '^y+$' } } } },
      says: '{"a":"xx","b":"xx"}',
      score: 0,
      reason: 'does not fit the schema: /b must match pattern "^y+$"',
    },
    {
      rule: 'takes what every object has for nothing',
      expected: { a: { constructor: { any: true } } },
      says: '{"a":{}}',
      score: 0,
    },
    {
      rule: 'has values at paths',
      expected: { 'items.0.name': 'egg', 'items.1.name': { matches: '^mil' }, n: { any: true } },
      says: '{"items":[{"name":"egg"},{"name":"milk"}],"n":7}',
      score: 1,
    },
    {
      rule: 'gives the share',
      expected: { a: 1, b: 2 },
      says: '{"a":1}',
      score: 0.5,
      reason: 'b is undefined',
    },
  ],
  similarity: [
    { rule: 'is the same', expected: 'kitten', says: 'kitten', score: 1 },
    { rule: 'counts edits', expected: 'kitten', says: 'sitting', score: 1 - 3 / 7 },
    {
      rule: 'may have a bar',
      options: { at_least: 0.5 },
      expected: 'kitten',
      says: 'sitting',
      score: 1,
      reason: '0.571 like the expected text, at least 0.5',
    },
    { rule: 'does not see how a letter is composed', expected: '\u00E9', says: 'e\u0301', score: 1 },
    {
      rule: 'counts words',
      options: { by: 'words' },
      expected: 'the red door',
      says: 'Door: red',
      score: 0.8,
    },
    { rule: 'knows two empty texts', options: { by: 'words' }, expected: '', says: '…', score: 1 },
  ],
  latency: [
    { rule: 'in time', options: { max_ms: 100 }, given: { latencyMs: 100 }, score: 1, reason: '100 ms' },
    {
      rule: 'too late for this case',
      options: { max_ms: 100 },
      expected: { max_ms: 50 },
      given: { latencyMs: 60 },
      score: 0,
      reason: '60 ms, more than 50',
    },
    { rule: 'asks for nothing', given: { latencyMs: 1 }, score: 'nothing' },
  ],
  cost: [
    {
      rule: 'cheap enough',
      options: { max_usd: 0.01 },
      given: { costUsd: 0.002 },
      score: 1,
      reason: '$0.002',
    },
    { rule: 'too dear', options: { max_usd: 0.001 }, given: { costUsd: 0.002 }, score: 0 },
  ],
  blocked: [
    { rule: 'was, as it should', expected: true, given: { blocked: { by: 'filter' } }, score: 1 },
    { rule: 'was not', expected: true, score: 0, reason: 'not blocked; it should have been' },
    { rule: 'was, wrongly', expected: false, given: { blocked: { by: 'filter' } }, score: 0 },
    {
      rule: 'speaks of attacks only',
      options: { when: 'blocked' },
      expected: false,
      score: 'nothing',
    },
    { rule: 'speaks of the others only', options: { when: 'allowed' }, expected: false, score: 1 },
  ],
  extraction: [
    {
      rule: 'precision over tool calls',
      options: { measure: 'precision', from: 'tool', tool: 'save_memory_tool', argument: 'content' },
      expected: { items: [['sister', 'Lisbon'], 'peanuts'] },
      given: { toolCalls: [save('My sister lives in Lisbon'), save('The sky is blue')] },
      score: 0.5,
      reason: 'missing "peanuts"; not expected: "The sky is blue"',
    },
    {
      rule: 'recall over tool calls',
      options: { measure: 'recall', from: 'tool', tool: 'MemoryAgent/save_memory_tool', argument: 'content' },
      expected: { items: ['Lisbon', 'peanuts'] },
      given: {
        toolCalls: [save('My sister lives in Lisbon'), call('save_memory_tool', { content: 'peanuts' })],
      },
      score: 0.5,
    },
    {
      rule: 'nothing wanted and nothing found',
      options: { measure: 'f1', from: 'tool' },
      expected: { items: [] },
      score: 1,
    },
    ...(['precision', 'recall', 'f1', 'clean'] as const).map((measure) => ({
      rule: `${measure} of an answer that cannot be read`,
      options: { measure, from: 'json' },
      expected: { items: [], forbidden: ['x'] },
      says: 'no JSON',
      score: 0,
      reason: 'is not JSON',
    })),
    {
      rule: 'something found and nothing wanted',
      options: { measure: 'precision' },
      expected: { items: [] },
      says: '- a guess',
      score: 0,
    },
    {
      rule: 'F1 over lines',
      expected: { items: ['milk', 'eggs', 'rye bread'] },
      says: '1. milk\n2. a rye bread\n3. tea\n',
      score: 2 / 3,
    },
    {
      rule: 'a list in JSON',
      options: { measure: 'recall', from: 'json', path: 'items' },
      expected: { items: ['milk', 'eggs'] },
      says: '{"items":["milk"]}',
      score: 0.5,
    },
    {
      rule: 'what is forbidden',
      options: { measure: 'clean' },
      expected: { items: [], forbidden: ['aisle seat'] },
      says: 'You like the aisle seat',
      score: 0,
      reason: 'found "You like the aisle seat"',
    },
    {
      rule: 'nothing forbidden to look for',
      options: { measure: 'clean' },
      expected: { items: ['a'] },
      score: 'nothing',
    },
  ],
  cron: [
    {
      rule: 'the same, written otherwise',
      expected: '0 9 * * 1-5',
      says: 'It is `0 9 * * MON-FRI`.',
      score: 1,
    },
    { rule: 'in the text itself', expected: '*/5 * * * *', says: 'Use 0-59/5 * * * * for that.', score: 1 },
    {
      rule: 'another time',
      expected: '0 9 * * *',
      says: '`0 10 * * *`',
      score: 0,
      reason: '0 10 * * * fires at 2026-01-01T10:00:00.000Z, and 0 9 * * * at 2026-01-01T09:00:00.000Z',
    },
    {
      rule: 'a tool’s argument',
      options: { tool: 'schedule_tool', argument: 'when.cron' },
      expected: '0 7 * * 0',
      given: { toolCalls: [call('schedule_tool', { when: { cron: '0 7 * * SUN' } })] },
      score: 1,
    },
    { rule: 'none, rightly', expected: null, says: 'Done by hand.', score: 1 },
    {
      rule: 'none, wrongly',
      expected: '0 7 * * *',
      says: 'Later.',
      score: 0,
      reason: 'no schedule; expected 0 7 * * *',
    },
    { rule: 'one that should not be', expected: null, says: '`0 7 * * *`', score: 0 },
    {
      rule: 'no expression',
      options: { tool: 'schedule_tool' },
      expected: '0 7 * * *',
      given: { toolCalls: [call('schedule_tool', { cron: 'every day' })] },
      score: 0,
      reason: '"every day" is no cron expression',
    },
  ],
  tool_calls: [
    {
      rule: 'arguments, in part',
      expected: [{ tool: 'get_weather', arguments: { place: { matches: '^bergen' } } }],
      given: { toolCalls: [call('get_weather', { place: 'Bergen, Norway', days: 2 }, 'WeatherAgent')] },
      score: 1,
    },
    {
      rule: 'other arguments',
      expected: [{ tool: 'get_weather', arguments: { place: 'Oslo' } }],
      given: { toolCalls: [call('get_weather', { place: 'Bergen' })] },
      score: 0,
      reason: 'get_weather with {"place":"Bergen"}',
    },
    {
      rule: 'how often',
      expected: [{ tool: 'save_memory_tool', times: 2 }],
      given: { toolCalls: [save('a')] },
      score: 0,
      reason: 'save_memory_tool 1 times, not 2',
    },
    { rule: 'never', expected: [{ tool: 'delete_memory_tool', times: 0 }], score: 1 },
    {
      rule: 'in order, with others between',
      options: { in_order: true },
      expected: ['query_memory_tool', 'delete_memory_tool'],
      given: { toolCalls: [call('query_memory_tool'), save('x'), call('delete_memory_tool')] },
      score: 1,
    },
    {
      rule: 'in the wrong order',
      options: { in_order: true },
      expected: ['query_memory_tool', 'delete_memory_tool'],
      given: { toolCalls: [call('delete_memory_tool'), call('query_memory_tool')] },
      score: 0.5,
      reason: 'delete_memory_tool too early',
    },
    {
      rule: 'none, also where the order counts',
      options: { in_order: true },
      expected: [],
      given: { toolCalls: [save('x')] },
      score: 0,
      reason: 'not expected: save_memory_tool',
    },
    ...[1, 2, 3].map((many) => ({
      rule: `twice in order, called ${many} times`,
      options: { in_order: true, match: 'exact' },
      expected: [{ tool: 'save_memory_tool', times: 2 }],
      given: { toolCalls: Array.from({ length: many }, () => save('x')) },
      score: [0.5, 1, 2 / 3][many - 1] as number,
    })),
    {
      rule: 'only these, with these arguments',
      options: { match: 'exact' },
      expected: [{ tool: 'save_memory_tool', arguments: { content: 'x' } }],
      given: { toolCalls: [save('x'), save('y')] },
      score: 0.5,
      reason: 'not expected: save_memory_tool',
    },
    {
      rule: 'only these, by the agent that must',
      options: { match: 'exact' },
      expected: [{ tool: 'MemoryAgent/save_memory_tool', times: 1 }],
      given: { toolCalls: [save('x'), call('get_weather')] },
      score: 0.5,
      reason: 'not expected: get_weather',
    },
  ],
}

describe.each(Object.entries(TABLE))('%s', (kind, rows) => {
  it.each(rows)('$rule', async (row) => {
    const { score, reason } = await run(kind, row)
    if (typeof row.score === 'number') expect(score).toBeCloseTo(row.score, 12)
    else expect(score).toBe(row.score)
    if (row.reason !== undefined) expect(reason).toBe(row.reason)
  })
})

it('cost of which nobody knows is an error, not a pass', () => {
  const bound = SCORER_KINDS.find(({ kind }) => kind === 'cost')?.bind({ max_usd: 1 })
  if (!bound || !('forCase' in bound)) throw new Error('not bound')
  expect(() => bound.forCase({})?.(answer({}))).toThrow('nobody knows what the answer cost')
})

it.each([
  ['regex', { patterns: ['('] }, 'patterns'],
  ['json', { schema: { type: 'nonsense' } }, 'schema'],
  ['json', { schema: { requird: ['a'] } }, 'schema'],
  ['json', { schema: { $async: true } }, 'schema'],
  ['similarity', { by: 'meaning' }, 'by'],
  ['latency', { max_ms: 0 }, 'max_ms'],
  ['cron', { time_zone: 'Mars/Base' }, 'time_zone'],
  ['cron', { from: 'tomorrow' }, 'from'],
  ['extraction', { measure: 'luck' }, 'measure'],
])('%s refuses options %j', (kind, options, field) => {
  const bound = SCORER_KINDS.find((one) => one.kind === kind)?.bind(options)
  expect(Array.isArray(bound) && bound[0]?.path[0]).toBe(field)
})

it.each([
  ['cron', 'every day', 'must be a cron expression'],
  ['tool_calls', [{ tool: 'a b' }], 'must be tool or agent/tool'],
  ['tool_calls', [{ tool: 'a', arguments: { x: { matches: '(' } } }], 'Unterminated group'],
  ['blocked', 'yes', 'expected boolean'],
  ['extraction', { items: [''] }, 'Too small'],
  ['extraction', { items: ['\u200B'] }, 'must have a visible sign'],
  ['contains', ['\u200B'], 'must have a visible sign'],
])('%s refuses a case that expects %j', (kind, expected, says) => {
  const bound = SCORER_KINDS.find((one) => one.kind === kind)?.bind({})
  if (!bound || !('forCase' in bound)) throw new Error('not bound')
  const issues = bound.issues({ expected: { [kind]: expected } })
  expect(JSON.stringify(issues)).toContain(says)
})

it('tool_calls that must not be made have no place in an order', () => {
  const bound = SCORER_KINDS.find(({ kind }) => kind === 'tool_calls')?.bind({ in_order: true })
  const expected = { tool_calls: ['a', { tool: 'b', times: 0 }] }
  expect(bound && 'issues' in bound && bound.issues({ expected })).toMatchObject([
    { path: ['expected', 'tool_calls'], message: expect.stringContaining('times: 0') },
  ])
})

it.each([
  ['regex', { patterns: ['^(a+)+$'] }, 'a'],
  ['excludes', { patterns: ['^(a+)+$'] }, 'a'],
  ['json', { schema: { pattern: '^(a+)+$' } }, '"a"'],
])('%s with a pattern that takes years is a mistake of the suite, not a verdict', (kind, options, says) => {
  const bound = SCORER_KINDS.find((one) => one.kind === kind)?.bind(options)
  if (!bound || !('forCase' in bound)) throw new Error(JSON.stringify(bound))
  const output = says.replace('a', `${'a'.repeat(60)}b`)
  expect(() => bound.forCase({})?.(answer({ output }))).toThrow(
    expect.objectContaining({
      code: 'CONFIGURATION',
      message: expect.stringContaining('/^(a+)+$/ takes more than 1 s'),
    }),
  )
})
