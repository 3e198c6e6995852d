import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { FollowedChange } from './follow-api.ts'
import { createTestRegistry, type TestRegistryOptions } from './test-registry.ts'
import type { NoVariables, PromptCatalog, PromptShape } from './typed.ts'

const open = (options: TestRegistryOptions = {}) => {
  const registry = createTestRegistry(options)
  onTestFinished(() => registry.close())
  return registry
}

describe('a registry for tests', () => {
  it('holds what it is given, as a registry does', async () => {
    const registry = open({
      prompts: {
        memory: 'Hello {{ who }}',
        chat: { template: [{ role: 'user', content: 'Hi' }], modelConfig: { temperature: 0 } },
      },
    })
    const memory = await registry.load('memory')
    expect(memory).toMatchObject({ version: 1, alias: 'production', source: 'registry' })
    expect(memory.format({ who: 'Ada' })).toBe('Hello Ada')
    expect((await registry.loadSet(['memory', 'chat'])).get('chat').modelConfig).toEqual({ temperature: 0 })
    await expect(registry.load('nobody')).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
  })

  it('a text that is set is in the next load, also before it is awaited, also behind another alias', async () => {
    const registry = open({ prompts: { memory: 'Old' } })
    await registry.load('memory')
    const setting = registry.set('memory', 'New')
    expect((await registry.load('memory')).format()).toBe('New')
    expect((await setting).version).toBe(2)
    await registry.set('memory', 'Other', { alias: 'experiment' })
    expect((await registry.load('memory', { alias: 'experiment' })).version).toBe(3)
    expect((await registry.load('memory')).version).toBe(2)
    await registry.remove('memory')
    await expect(registry.load('memory')).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
  })

  it.each(['hang', 'fail'] as const)('%s: falls back as in production, and heals', async (fault) => {
    const registry = open({ prompts: { memory: 'Live' }, defaults: { memory: 'Bundled', tone: 'Kind' } })
    await registry.load('memory')
    registry[fault]()
    expect(await registry.load('memory')).toMatchObject({ source: 'stale', template: 'Live' })
    expect(await registry.load('tone')).toMatchObject({ source: 'default', isFallback: true })
    expect(registry.log.of('prompt.fell_back')).not.toEqual([])
    await registry.set('memory', 'Later') // another process is not cut off
    await registry.heal()
    expect(await registry.load('memory')).toMatchObject({ source: 'registry', template: 'Later' })
    expect(registry.loads.map(({ name, source }) => `${name} ${source}`)).toEqual([
      'memory registry',
      'memory stale',
      'tone default',
      'memory registry',
    ])
  })

  it('refuses as a server does, and answers slowly', async () => {
    const registry = open({ prompts: { memory: 'Live' }, strict: true })
    registry.fail('FORBIDDEN')
    await expect(registry.load('memory')).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await registry.heal()
    registry.slow(5)
    expect((await registry.load('memory')).template).toBe('Live')
    registry.slow(60_000)
    await expect(registry.load('memory', { version: 1 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  })

  it('uses the alias that the app asks for, a chain from its end', async () => {
    const registry = open({ alias: ['experiment', 'staging'], prompts: { memory: 'Staged' } })
    expect(await registry.load('memory')).toMatchObject({ alias: 'staging' })
    await registry.set('memory', 'Tried', { alias: 'experiment' })
    expect(await registry.load('memory')).toMatchObject({ alias: 'experiment', template: 'Tried' })
  })

  it('refuses at once what no registry would take', () => {
    expect(() => open({ prompts: { memory: '' } })).toThrow('template is empty')
    expect(() => open({ prompts: { 'a b': 'x' } })).toThrow('name must be')
    expect(() => open({ prompts: { memory: { template: 'x', modelConfig: { temperature: -1 } } } })).toThrow(
      'modelConfig.temperature',
    )
  })

  it('a cache and a clock are as in production when they are asked for', async () => {
    let at = 0
    const registry = open({ prompts: { memory: 'Old' }, cacheTtlSeconds: 60, now: () => at })
    await registry.load('memory')
    await registry.set('memory', 'New')
    expect(await registry.load('memory')).toMatchObject({ source: 'cache', template: 'Old' })
    at += 60_000
    expect((await registry.load('memory')).template).toBe('New')
  })

  it('can be followed, by polling', async () => {
    const registry = open({ prompts: { memory: 'Old' }, cacheTtlSeconds: 3600 })
    await registry.load('memory')
    let heard = (_: FollowedChange) => {}
    const moved = new Promise<FollowedChange>((resolve) => {
      heard = resolve
    })
    const following = await registry.follow({ pollIntervalSeconds: 1, onChange: (change) => heard(change) })
    await following.ready
    expect(following.state).toBe('polling')
    await registry.set('memory', 'New')
    expect(await moved).toMatchObject({ prompt: 'memory', alias: 'production', to: 2 })
    expect(await registry.load('memory')).toMatchObject({ source: 'cache', template: 'New' })
    following.stop()
  })

  it('passes on what its logger and telemetry hear', async () => {
    const info = vi.fn()
    const used = vi.fn()
    const logger = { debug: vi.fn(), info, warn: vi.fn(), error: vi.fn() }
    const registry = open({
      prompts: { memory: 'x' },
      logger,
      telemetry: { used, cold: (_, work) => work() },
    })
    const prompt = await registry.load('memory')
    expect(info).toHaveBeenCalledWith(expect.objectContaining({ prompt: 'memory' }), 'prompt.loaded')
    expect(used).toHaveBeenCalledWith(prompt)
  })

  it('leaves no timer behind', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const registry = createTestRegistry({ prompts: { memory: 'x' }, cacheTtlSeconds: 60, timeoutMs: 1000 })
    await registry.load('memory')
    registry.hang()
    const waiting = registry.load('memory', { version: 1 })
    await Promise.all([registry.close(), expect(waiting).rejects.toThrow('closed')])
    expect(vi.getTimerCount()).toBe(0)
  })
})

interface Prompts extends PromptCatalog {
  readonly memory: PromptShape & {
    readonly kind: 'text'
    readonly aliases: 'production'
    readonly variables: { readonly who: string }
  }
  readonly tone: PromptShape & {
    readonly kind: 'text'
    readonly aliases: 'production'
    readonly variables: NoVariables
  }
}

it('takes the prompts of an app as a type', async () => {
  const registry = createTestRegistry<Pick<Prompts, 'memory' | 'tone'>>({
    prompts: { memory: 'Hello {{ who }}' },
  })
  onTestFinished(() => registry.close())
  const text: string = (await registry.load('memory')).format({ who: 'Ada' })
  expect(text).toBe('Hello Ada')
  await registry.set('tone', 'Kind')
  // @ts-expect-error: no such prompt
  await registry.set('tune', 'Kind')
  // @ts-expect-error: no such prompt
  createTestRegistry<Pick<Prompts, 'memory'>>({ prompts: { tone: 'x' } })
})
