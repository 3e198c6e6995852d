import { expect, it } from 'vitest'
import { createRunRecord, type ToolStatus } from './run-record.ts'

it('keeps calls in the order they were made, whichever ends first, and tells as they start and end', () => {
  const seen: ToolStatus[] = []
  const record = createRunRecord((status) => seen.push(status))
  const outer = record.toolStarted({
    agent: 'Assistant',
    name: 'ask_memory_agent',
    arguments: { input: 'a' },
  })
  const inner = record.toolStarted({
    agent: 'MemoryAgent',
    name: 'query_memory_tool',
    arguments: { query: 'a' },
  })
  inner({ memories: [] }, true)
  outer('nothing', false)
  expect(record.toolCalls()).toEqual([
    { agent: 'Assistant', name: 'ask_memory_agent', arguments: { input: 'a' }, result: 'nothing', ok: false },
    {
      agent: 'MemoryAgent',
      name: 'query_memory_tool',
      arguments: { query: 'a' },
      result: { memories: [] },
      ok: true,
    },
  ])
  expect(seen.map(({ type, id, ok }) => [type, id, ok])).toEqual([
    ['started', 1, undefined],
    ['started', 2, undefined],
    ['finished', 2, true],
    ['finished', 1, false],
  ])
})

it('sums what the model used over all requests, also those that were never answered', () => {
  const record = createRunRecord()
  record.modelAsked()
  record.modelAnswered({ inputTokens: 10, outputTokens: 2 })
  record.modelAsked()
  expect(record.usage()).toEqual({ inputTokens: 10, outputTokens: 2, requests: 2 })
})
