import { randomUUID } from 'node:crypto'
import { createRegistry } from '@promptkeep/client'
import { createAdmin } from '@promptkeep/client/admin'
import { silent } from '@promptkeep/client/protocol'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createAssistant } from '../apps/assistant/src/assistant.ts'
import { readConfig } from '../apps/assistant/src/config.ts'
import { chat, createChatTarget } from '../apps/assistant/src/eval-target.ts'
import { PROMPT_DEFAULTS } from '../apps/assistant/src/prompt-defaults.ts'
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
    const config = readConfig({ MLFLOW_TRACKING_URI: registry.url, ASSISTANT_DATABASE: 'sqlite::memory:' })
    const assistant = await createAssistant(config, {
      log: silent,
      env: {},
      fetch,
      now: Date.now,
      newId: randomUUID,
    })
    const target = createChatTarget(assistant, randomUUID)
    onTestFinished(() => target.close?.())
    const ask = { id: 'ask', input: 'what do you know about tea?' }
    const [, other] = await Promise.all([
      target.run({ id: 'tell', input: 'remember that I drink tea' }, options('c')),
      target.run(ask, options('d')),
    ])
    expect(other.output).toContain('nothing')
    expect((await target.run(ask, options('c'))).output).toContain('nothing')
    expect((await assistant.conversations.list('c', { limit: 1, offset: 0 })).total).toBe(0)
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
