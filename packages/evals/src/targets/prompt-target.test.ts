import { createTestRegistry } from '@promptkeep/client/testing'
import { describe, expect, it } from 'vitest'
import { createPromptTarget } from './prompt-target.ts'

/** Answers with what no scripted endpoint says. */
async function ask(choice: object, more: object = {}, turns: readonly string[] = ['hi']) {
  const registry = createTestRegistry()
  await registry.set('greeting', 'Greet.')
  const fetch = async () => Response.json({ choices: [choice], ...more })
  const endpoint = { url: 'http://model/v1', apiKey: 'key', shown: 'http://model/v1' }
  const target = createPromptTarget(
    { prompt: 'greeting', model: 'm' },
    { registry, endpoint, env: {}, fetch },
  )
  const { signal } = new AbortController()
  const result = await target.run({ id: 'a', turns }, { promptAlias: ['production'], tenant: 't', signal })
  await target.close?.()
  return result
}

describe('what a model says', () => {
  it('is blocked when it refuses, and nothing more is asked', async () => {
    const result = await ask({ message: { refusal: 'I will not.' } }, {}, ['one', 'two'])
    expect(result).toMatchObject({
      output: 'I will not.',
      blocked: { by: 'refusal' },
      usage: { requests: 1 },
    })
    expect(result.error).toBeUndefined()
  })

  it('is blocked when a filter stopped it', async () => {
    const result = await ask({ message: { content: null }, finish_reason: 'content_filter' })
    expect(result).toMatchObject({ output: '', blocked: { by: 'content_filter' } })
    expect(result.messages).toEqual([{ role: 'user', content: 'hi' }])
  })

  it('may be a call of a tool, which nobody answers', async () => {
    const calls = [
      { id: '1', type: 'function', function: { name: 'look_up', arguments: '{"city":"Oslo"}' } },
      { id: '2', type: 'function', function: { name: 'look_up', arguments: '{"city":' } },
    ]
    const { toolCalls } = await ask({ message: { tool_calls: calls } })
    expect(toolCalls).toEqual([
      { agent: 'greeting', name: 'look_up', arguments: { city: 'Oslo' }, result: null },
      { agent: 'greeting', name: 'look_up', arguments: '{"city":', result: null },
    ])
  })

  it('may come without a model and without usage', async () => {
    const result = await ask({ message: { content: 'Hello' } })
    expect(result).toMatchObject({
      output: 'Hello',
      usage: { inputTokens: 0, outputTokens: 0, requests: 1 },
      prompts: { greeting: { alias: 'production' } },
    })
    expect(result).not.toHaveProperty('model')
  })

  it('is an outage when it is no chat completion', async () => {
    const { error } = await ask({ text: 'Hello' })
    expect(error).toEqual({
      kind: 'infrastructure',
      message: 'http://model/v1 answered with something that is no chat completion',
    })
  })
})
