import { randomUUID } from 'node:crypto'
import { RunContext } from '@openai/agents'
import { silent } from '@promptkeep/client/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { AssistantContext } from './agents/context.ts'
import { readConfig } from './config.ts'
import { openAssistantDatabase } from './db/open.ts'
import { readSeed } from './eval-seed.ts'
import { createEvalWorlds } from './eval-worlds.ts'

async function setup() {
  const { db, close } = await openAssistantDatabase('sqlite::memory:')
  onTestFinished(close)
  const worlds = createEvalWorlds()
  const noNetwork = async (): Promise<never> => {
    throw new Error('an eval asked the network')
  }
  const tools = worlds.createTools({
    ...{ db, config: readConfig({ OPENWEATHERMAP_API_KEY: 'real' }), log: silent },
    ...{ fetch: noNetwork, now: Date.now, newId: randomUUID },
  })
  const call = (userId: string, name: string, given: object, signal = new AbortController().signal) => {
    const tool = Object.values(tools)
      .flat()
      .find((one) => one.name === name)
    const context = new RunContext({ userId, conversationId: null, correlationId: 'x', signal })
    return tool?.invoke(context as RunContext<AssistantContext>, JSON.stringify(given))
  }
  const enter = (tenant: string, seed: Record<string, unknown>) => worlds.enter(tenant, readSeed(seed))
  return { worlds, call, enter }
}

describe('worlds of evals', () => {
  it('wait for calls that nobody waits for any more', async () => {
    const { worlds, call, enter } = await setup()
    await enter('a', { fail: { tool: 'save_memory_tool', with: 'slow' } })
    const order: string[] = []
    const gone = new AbortController()
    const save = { content: 'The user drinks tea.', memory_type: 'fact' }
    const saving = call('a', 'save_memory_tool', save, gone.signal) as Promise<unknown>
    saving.catch(() => order.push('the call ended'))
    const left = worlds.leave('a').then(() => order.push('the world was left'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(order).toEqual([])
    gone.abort()
    await left
    expect(order).toEqual(['the call ended', 'the world was left'])
  })

  it('answer nobody who has none, before and after', async () => {
    const { worlds, call, enter } = await setup()
    await expect(call('a', 'query_memory_tool', { query: '' })).rejects.toThrow('the case is over')
    await enter('a', {})
    expect(String(await call('a', 'query_memory_tool', { query: '' }))).toContain('"count":0')
    await worlds.leave('a')
    await expect(call('a', 'query_memory_tool', { query: '' })).rejects.toThrow('the case is over')
  })

  it('never ask the network, whatever key there is', async () => {
    const { call, enter } = await setup()
    await enter('a', {})
    await enter('b', { weather: [{ name: 'Oslo', country: 'NO', now: { sky: 'mist', celsius: 3 } }] })
    expect(await call('a', 'get_weather', { location: 'Oslo' })).toMatchObject({
      text: expect.stringContaining('Weather is not set up'),
    })
    expect(await call('b', 'get_weather', { location: 'Oslo' })).toContain('3°C (37°F)')
  })

  it('keep the limits of one user from another', async () => {
    const { call, enter } = await setup()
    await enter('a', {})
    await enter('b', {})
    const queries = Array.from({ length: 11 }, () => call('a', 'query_memory_tool', { query: '' }))
    const answers = (await Promise.all(queries)).map(String)
    expect(answers.filter((answer) => answer.includes('rate limit'))).toHaveLength(1)
    expect(String(await call('b', 'query_memory_tool', { query: '' }))).not.toContain('rate limit')
  })
})
