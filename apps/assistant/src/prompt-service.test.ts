import { createRegistry, RegistryError, type RegistryOptions } from '@promptkeep/client'
import { createMemoryTransport } from '@promptkeep/client/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { promptConstants } from './prompt-constants.ts'
import { PROMPT_DEFAULTS } from './prompt-defaults.ts'
import { PROMPT_NAME_MAP, PROMPT_NAMES } from './prompt-map.ts'
import { createPromptService, registryLog } from './prompt-service.ts'
import { createTestLog } from './testing.ts'

function start(options: Partial<RegistryOptions> = {}) {
  const { lines, log } = createTestLog()
  const transport = createMemoryTransport()
  const registry = createRegistry({
    ...{ transport, defaults: PROMPT_DEFAULTS, logger: registryLog(log), env: {} },
    ...options,
  })
  const service = createPromptService({ registry, log })
  onTestFinished(() => registry.close())
  return { lines, transport, service }
}
const OUTAGE = { kind: 'error', error: new RegistryError('UNAVAILABLE', 'connection refused') } as const

describe('seedPrompts', () => {
  it('makes all eleven, then none', async () => {
    const { service } = start()
    expect((await service.seedPrompts()).seeded.toSorted()).toEqual(PROMPT_NAMES.toSorted())
    const again = await service.seedPrompts()
    expect([again.seeded.length, again.skipped.length]).toEqual([0, 11])
  })

  it('does not throw when the registry is down', async () => {
    const { service, transport } = start()
    transport.fault(OUTAGE)
    expect((await service.seedPrompts()).failed.length).toBeGreaterThan(0)
  })
})

describe('loadPrompt', () => {
  it('logs name, version, alias, source and isFallback at INFO, also from the cache', async () => {
    const { service, lines } = start()
    await service.seedPrompts()
    expect(await service.loadPrompt('memory')).toBe(PROMPT_DEFAULTS.memory.template)
    await service.loadPrompt('memory')
    const loaded = lines.filter(({ event }) => event === 'prompt.loaded')
    expect(loaded.slice(-2)).toMatchObject([
      { level: 'info', prompt: 'memory', version: 1, alias: 'production', isFallback: false },
      {
        level: 'info',
        prompt: 'memory',
        version: 1,
        alias: 'production',
        isFallback: false,
        source: 'cache',
      },
    ])
    expect(JSON.stringify(lines)).not.toContain('query_memory_tool')
  })

  it('logs the correlation id of the run it is called in', async () => {
    const { service, lines } = start()
    await service.seedPrompts()
    const run = await service.loadRun({ correlationId: 'c-1' })
    await service.inRun(run, 'c-1', () => service.loadPrompt('memory'))
    expect(lines.at(-1)).toMatchObject({ event: 'prompt.loaded', correlationId: 'c-1' })
  })

  it('answers from the bundled defaults with one WARN when the registry is down', async () => {
    const { service, transport, lines } = start()
    transport.fault(OUTAGE)
    expect(await service.loadPrompt('memory')).toBe(PROMPT_DEFAULTS.memory.template)
    expect(await service.loadPromptVersion('memory')).toEqual({
      name: 'memory',
      version: 0,
      alias: undefined,
      template: PROMPT_DEFAULTS.memory.template,
      modelConfig: PROMPT_DEFAULTS.memory.modelConfig,
      isFallback: true,
    })
    expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { event: 'prompt.fell_back', prompt: 'memory', source: 'default' },
    ])
  })

  it('refuses a chat prompt where a text is wanted', async () => {
    const { service } = start()
    await service.registerPrompt('chatty', [{ role: 'system', content: 'Hi' }])
    await service.setAlias('chatty', 'production', 1)
    await expect(service.loadPrompt('chatty')).rejects.toThrow('Prompt chatty version 1 is a chat prompt')
  })
})

it('registers versions, moves aliases, and loads each alias’s own text and model config', async () => {
  const { service, lines } = start({ cacheTtlSeconds: 0 })
  await service.seedPrompts()
  const { version } = await service.registerPrompt('weather', 'Say it in verse.', {
    commitMessage: 'verse',
    modelConfig: { temperature: 1 },
  })
  await service.setAlias('weather', 'experiment', version)
  expect(await service.loadPromptVersion('weather', 'experiment')).toMatchObject({
    version: 2,
    alias: 'experiment',
    template: 'Say it in verse.',
    modelConfig: { temperature: 1 },
    isFallback: false,
  })
  expect(await service.loadPromptVersion('weather')).toMatchObject({ version: 1, alias: 'production' })
  await service.setAlias('weather', 'production', version)
  expect(await service.loadPrompt('weather')).toBe('Say it in verse.')
  const told = lines.filter(({ event }) => event === 'prompt.registered' || event === 'alias.moved')
  expect(told).toMatchObject([
    { level: 'info', event: 'prompt.registered', prompt: 'weather', version: 2 },
    { level: 'info', event: 'alias.moved', prompt: 'weather', alias: 'experiment', to: 2 },
    { level: 'info', event: 'alias.moved', prompt: 'weather', alias: 'production', from: 1, to: 2 },
  ])
})

describe('a run', () => {
  it('resolves all eleven with one line', async () => {
    const { service, lines } = start()
    await service.seedPrompts()
    lines.length = 0
    await service.loadRun({ correlationId: 'c-2' })
    expect(lines).toMatchObject([{ level: 'info', event: 'prompts.resolved', correlationId: 'c-2' }])
    const { prompts } = lines[0] as unknown as { prompts: Record<string, object> }
    expect(Object.keys(prompts).sort()).toEqual(PROMPT_NAMES.toSorted())
    expect(prompts.memory).toMatchObject({ version: 1, alias: 'production', isFallback: false })
  })

  it('follows its own alias chain, and asks anew when it must be fresh', async () => {
    const { service, transport } = start()
    await service.seedPrompts()
    await service.loadRun({ correlationId: 'warm' })
    const { version } = await transport.register({ name: 'weather', template: 'Say it in verse.' })
    await transport.moveAlias({ name: 'weather', alias: 'production', to: version })
    const cached = await service.loadRun({ correlationId: 'cached' })
    expect(cached.get('weather').version).toBe(1)
    await transport.moveAlias({ name: 'memory', alias: 'experiment', to: 1 })
    const alias = ['experiment', 'production']
    const fresh = await service.loadRun({ correlationId: 'fresh', alias, fresh: true })
    expect(fresh.get('weather')).toMatchObject({ version: 2, alias: 'production', source: 'registry' })
    expect(fresh.get('memory')).toMatchObject({ version: 1, alias: 'experiment' })
  })

  it('knows its own active versions, whatever else the process loads; outside, the last load counts', async () => {
    const { service, transport } = start({ cacheTtlSeconds: 0 })
    await service.seedPrompts()
    const run = await service.loadRun({ correlationId: 'one' })
    const { version } = await transport.register({ name: 'weather', template: 'Say it in verse.' })
    await transport.moveAlias({ name: 'weather', alias: 'production', to: version })
    await service.loadPrompt('weather')
    expect(service.getActivePromptVersions()).toMatchObject({ weather: 2, memory: 1 })
    const inside = await service.inRun(run, 'one', async () => {
      await new Promise((resolve) => setTimeout(resolve, 1))
      return service.getActivePromptVersions()
    })
    expect(inside).toEqual(Object.fromEntries(PROMPT_NAMES.map((name) => [name, 1])))
  })

  it('answers with the defaults, version 0, when the registry is down', async () => {
    const { service, transport } = start()
    transport.fault(OUTAGE)
    const run = await service.loadRun({ correlationId: 'c' })
    expect(PROMPT_NAMES.every((name) => run.get(name).isFallback)).toBe(true)
    expect(service.inRun(run, 'c', () => service.getActivePromptVersions())).toMatchObject({ memory: 0 })
    expect(service.status().state).toBe('down')
  })
})

it('stands in for the old constants: each loads the prompt of its name', async () => {
  const { service } = start()
  await service.seedPrompts()
  const constants = promptConstants((name) => service.loadPrompt(name))
  expect(Object.keys(constants)).toEqual(Object.keys(PROMPT_NAME_MAP))
  expect(await constants.GRAPH_SYSTEM_PROMPT()).toBe(PROMPT_DEFAULTS['knowledge-graph'].template)
})

it('finds out by itself that the registry is back, when readiness is asked', async () => {
  const { service, transport } = start()
  await service.seedPrompts()
  transport.fault(OUTAGE)
  await service.loadPrompt('memory', 'other')
  expect(service.status().state).toBe('down')
  transport.fault()
  await expect.poll(() => service.status().state, { timeout: 5000 }).toBe('up')
})
