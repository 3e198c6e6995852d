import { describe, expect, it } from 'vitest'
import { keepsApart, precisionAt5, recallAt5, savesNothingElse } from './eval-memory-scorers.ts'

const query = (...contents: string[]) => ({
  ...{ agent: 'MemoryAgent', name: 'query_memory_tool', arguments: { query: 'x' } },
  result: { memories: contents.map((content) => ({ content })) },
})
const save = (content: string) => ({
  ...{ agent: 'MemoryAgent', name: 'save_memory_tool', arguments: { content }, result: { action: 'stored' } },
})
const args = (
  toolCalls: ReturnType<typeof query | typeof save>[],
  expected: unknown,
  answer = 'Very well.',
) => ({
  ...{ input: 'x', output: answer, expected, toolCalls, latencyMs: 1 },
  usage: { inputTokens: 1, outputTokens: 1, requests: 1 },
  messages: [{ role: 'assistant', content: answer }],
})
const SIX = ['one', 'two', 'three', 'four', 'five', 'six'].map((n) => `The user has ${n}.`)

describe('scorers of memory', () => {
  it('count the first five of each search, each memory once', async () => {
    const both = args([query(...SIX), query(...SIX)], { items: ['has one', 'has six'] })
    expect(await recallAt5(both)).toEqual({ score: 0.5, reason: 'not found: has six' })
    expect(await precisionAt5(both)).toMatchObject({ score: 1 / 5 })
    const second = args([query(...SIX), query(SIX[5] ?? '')], { items: ['has six'], also: ['has'] })
    expect(await recallAt5(second)).toMatchObject({ score: 1 })
    expect(await precisionAt5(second)).toMatchObject({ score: 1 })
  })

  it('take nothing found for nothing wrong, and for a miss where something was to be found', async () => {
    expect(await precisionAt5(args([], { items: ['tea'] }))).toMatchObject({ score: 1 })
    expect(await recallAt5(args([], { items: ['tea'] }))).toMatchObject({ score: 0 })
    expect(await recallAt5(args([], { items: [] }))).toMatchObject({ score: 1 })
    const failed = { ...query(), result: 'memory is a page of HTML' }
    expect(await recallAt5(args([failed as never], { items: ['tea'] }))).toMatchObject({ score: 0 })
  })

  it('want all words of an item in one memory', async () => {
    const found = args([query('The user drinks tea.', 'The user has lemon trees.')], {
      items: [['tea', 'lemon']],
    })
    expect(await recallAt5(found)).toEqual({ score: 0, reason: 'not found: tea + lemon' })
  })

  it('find what is another’s in any result and in any answer', async () => {
    const expected = ['oat milk']
    expect(await keepsApart(args([query('Takes oat milk.')], expected))).toMatchObject({ score: 0 })
    expect(await keepsApart(args([], expected, 'With OAT MILK, I think.'))).toEqual({
      ...{ score: 0, reason: "the answer says oat milk, which is another user's" },
    })
    expect(await keepsApart(args([query('Takes milk.')], expected))).toMatchObject({ score: 1 })
  })

  it('give a half for one false memory, and nothing for two', async () => {
    const expected = { items: ['tea'] }
    expect(await savesNothingElse(args([save('Drinks tea.')], expected))).toMatchObject({ score: 1 })
    expect(await savesNothingElse(args([save('Drinks tea.'), save('Says hello.')], expected))).toEqual({
      ...{ score: 0.5, reason: 'also saved Says hello.' },
    })
    const three = ['a', 'b', 'c'].map(save)
    expect(await savesNothingElse(args(three, expected))).toMatchObject({ score: 0 })
  })
})
