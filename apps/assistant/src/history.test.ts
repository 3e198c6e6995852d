import type { AgentInputItem } from '@openai/agents'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { selectHistory, tokensOf } from './history.ts'
import { countTokens } from './tokens.ts'

const user = (content: string): AgentInputItem => ({ role: 'user', content })
const says = (text: string): AgentInputItem => ({
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text }],
})
const call = (callId: string, args = '{}'): AgentInputItem => ({
  type: 'function_call',
  callId,
  name: 'ask_memory_agent',
  arguments: args,
})
const result = (callId: string, text = 'ok'): AgentInputItem => ({
  type: 'function_call_result',
  callId,
  name: 'ask_memory_agent',
  status: 'completed',
  output: { type: 'text', text },
})
const cost = (items: readonly AgentInputItem[]) => items.reduce((sum, item) => sum + tokensOf(item), 0)

describe('selectHistory', () => {
  const talk = [user('one'), says('two'), user('three'), says('four')]

  it('sends everything that fits, to the token', () => {
    expect(selectHistory(talk, cost(talk))).toEqual(talk)
    expect(selectHistory(talk, cost(talk) - 1)).toEqual(talk.slice(1))
  })

  it('sends nothing with a budget of 0, or when the newest message alone is too long', () => {
    expect(selectHistory(talk, 0)).toEqual([])
    expect(selectHistory([user('short'), user('long '.repeat(100))], 50)).toEqual([])
  })

  it('leaves no hole: what is older than a message that does not fit is left out too', () => {
    const items = [user('old'), user('long '.repeat(100)), user('new')]
    expect(selectHistory(items, 60)).toEqual([user('new')])
  })

  it('keeps calls and their results together, or leaves all of them out', () => {
    const items = [
      user('q'),
      call('a'),
      call('b'),
      result('a'),
      result('b', 'long '.repeat(50)),
      says('done'),
    ]
    expect(selectHistory(items, cost(items.slice(1)))).toEqual(items.slice(1))
    expect(selectHistory(items, cost(items.slice(1)) - 1)).toEqual([says('done')])
  })

  it('keeps a chain of calls together', () => {
    const items = [call('a'), result('a'), call('b'), result('b'), says('done')]
    expect(selectHistory(items, cost(items) - 1)).toEqual([says('done')])
  })

  it('drops a call that was never answered and a result that nobody asked for', () => {
    const items = [user('q'), call('a'), call('b'), result('b'), result('z'), says('done')]
    expect(selectHistory(items, 1000)).toEqual([user('q'), call('b'), result('b'), says('done')])
  })

  it('never parts a pair and never passes the budget', () => {
    const turn = fc.tuple(fc.string(), fc.integer({ min: 0, max: 3 }), fc.boolean())
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 8 }), fc.integer({ min: 0, max: 400 }), (turns, budget) => {
        const items = turns.flatMap(([text, calls, isAnswered], i) => [
          user(text),
          ...Array.from({ length: calls }, (_, j) => call(`${i}.${j}`)),
          ...Array.from({ length: isAnswered ? calls : 0 }, (_, j) => result(`${i}.${j}`, text)),
          says(text),
        ])
        const kept = selectHistory(items, budget)
        const ids = (type: string) =>
          kept.flatMap((item) => (item.type === type && 'callId' in item ? [item.callId] : []))
        expect(ids('function_call')).toEqual(ids('function_call_result'))
        expect(cost(kept)).toBeLessThanOrEqual(budget)
      }),
      { numRuns: 50 },
    )
  })
})

describe('countTokens', () => {
  it('counts what a user wrote like a special token', () => {
    expect(countTokens('hello <|endoftext|>')).toBeGreaterThan(1)
  })
})
