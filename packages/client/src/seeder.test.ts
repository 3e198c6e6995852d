import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { RegistryError } from './errors.ts'
import { createLogRecorder } from './log-recorder.ts'
import { createMemoryTransport } from './memory.ts'
import type { Defaults, RegistryOptions } from './options.ts'
import { createRegistry } from './registry.ts'
import { TAG } from './wire-keys.ts'

const defaults: Defaults = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`p${i}`, `Text ${i}`]))
const names = Object.keys(defaults)
const outage = new RegistryError('UNAVAILABLE', 'refused')

function open(options: RegistryOptions = {}) {
  const transport = createMemoryTransport()
  const log = createLogRecorder()
  const registry = createRegistry({ transport, env: {}, defaults, logger: log.logger, ...options })
  onTestFinished(() => registry.close())
  return { transport, registry, log }
}

const realSetTimeout = globalThis.setTimeout
/** Digests are computed in real time, on another thread: it gets its turns, too. */
const aMoment = () => new Promise((resolve) => realSetTimeout(resolve, 10))

/** Lets time pass, in small steps. */
async function pass(ms: number) {
  for (let passed = 0; passed < ms; passed += 250) {
    await aMoment()
    await vi.advanceTimersByTimeAsync(250)
  }
}

/** Lets time pass until `isDone`. */
async function until(isDone: () => Promise<boolean>) {
  for (let i = 0; i < 1000; i++) {
    if (await isDone()) return
    await pass(250)
  }
  expect.unreachable('it never came about')
}

describe('seed', () => {
  it('refuses a bundled default that could not be registered, before any request', async () => {
    const memory = { template: 'x', modelConfig: { top_p: 7 } }
    const { registry, transport } = open({ defaults: { memory } })
    await expect(registry.seed()).rejects.toThrow(/^defaults\["memory"\]: modelConfig.top_p must be/)
    await expect(registry.seed({ other: memory })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    expect(transport.calls).toEqual([])
  })

  it('makes what is missing, then finds everything in place', async () => {
    const { registry, log, transport } = open()
    expect(await registry.seed()).toEqual({ seeded: names, skipped: [], healed: [], drifted: [], failed: [] })
    expect(await registry.seed()).toEqual({ seeded: [], skipped: names, healed: [], drifted: [], failed: [] })
    expect(log.of('prompts.seeded').map(({ fields }) => fields)).toEqual([
      { seeded: 11, skipped: 0, healed: 0, drifted: 0, failed: 0 },
      { seeded: 0, skipped: 11, healed: 0, drifted: 0, failed: 0 },
    ])
    expect((await transport.findByAlias('p3', 'production')).tags).toEqual({ [TAG.seeded]: 'true' })
  })

  it('points the last alias of a chain, which is the most general', async () => {
    const { registry, transport } = open({ alias: ['experiment', 'production', 'latest'] })
    await registry.seed({ memory: 'x' })
    expect((await transport.find('memory')).aliases).toEqual({ production: 1 })
  })

  it('is seen by the next load, though the prompt was just absent', async () => {
    const { registry } = open()
    expect(await registry.load('p1')).toMatchObject({ source: 'default' })
    await registry.seed()
    expect(await registry.load('p1')).toMatchObject({ source: 'registry', version: 1 })
  })

  it('stores description, settings and tags of a default', async () => {
    const { registry, transport } = open()
    await registry.seed({
      memory: {
        template: 'x',
        description: 'What it is for',
        modelConfig: { temperature: 0 },
        tags: { a: 'b' },
      },
    })
    expect(await transport.find('memory')).toMatchObject({ description: 'What it is for' })
    expect(await transport.findByVersion('memory', 1)).toMatchObject({
      modelConfig: { temperature: 0 },
      tags: { a: 'b' },
    })
  })

  it('finishes what was left half done, and touches nothing else', async () => {
    const { registry, transport } = open()
    await transport.plant({ name: 'half', template: 'x', tags: { [TAG.seeded]: 'true' } })
    await transport.plant({ name: 'theirs', template: 'x' })
    await transport.plant({ name: 'other-text', template: 'y', tags: { [TAG.seeded]: 'true' } })
    const report = await registry.seed({ half: 'x', theirs: 'x', 'other-text': 'x' })
    expect(report).toEqual({
      seeded: [],
      skipped: ['theirs', 'other-text'],
      healed: ['half'],
      drifted: [],
      failed: [],
    })
    expect((await transport.find('half')).aliases).toEqual({ production: 1 })
    expect((await transport.find('theirs')).aliases).toEqual({})
  })

  it('a default that the registry never held is drift: a WARN with the command that publishes it', async () => {
    const { registry, log } = open({ promptsFolder: 'apps/assistant/prompts' })
    await registry.seed({ memory: 'old', weather: 'same' })
    expect(await registry.seed({ memory: 'edited', weather: 'same' })).toMatchObject({
      drifted: ['memory'],
      skipped: ['memory', 'weather'],
    })
    expect(
      log.of('prompt.drifted').map(({ level, fields }) => [level, fields.prompt, fields.command]),
    ).toEqual([
      [
        'warn',
        'memory',
        'npx promptkeep push apps/assistant/prompts --alias production --tracking-uri memory:',
      ],
    ])
    expect(registry.status().drifted).toEqual(['memory'])
    await registry.seed({ memory: 'old' })
    expect(registry.status().drifted).toEqual([])
  })

  it('a default that the registry has left behind is told how to catch up', async () => {
    const { registry, log } = open()
    await registry.seed({ memory: 'old' })
    await registry.register({ name: 'memory', template: 'new' })
    await registry.setAlias('memory', 'production', 2)
    expect(await registry.seed({ memory: 'old' })).toMatchObject({ drifted: ['memory'] })
    expect(log.of('prompt.drifted').map(({ level, fields }) => [level, fields.command])).toEqual([
      ['info', 'npx promptkeep pull ./prompts --tracking-uri memory:'],
    ])
  })

  it('rejects only for its own caller who gives up', async () => {
    const { registry, transport } = open()
    transport.fault({ kind: 'hang' })
    const controller = new AbortController()
    const reason = new Error('stop')
    const seeding = registry.seed(undefined, { signal: controller.signal })
    controller.abort(reason)
    await expect(seeding).rejects.toBe(reason)
  })
})

describe('seeding when the registry is away', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('stops at the first outage, says so once, and goes on in the background until it is complete', async () => {
    const { registry, transport, log } = open()
    transport.fault({ kind: 'error', error: outage })
    expect(await registry.seed()).toMatchObject({ seeded: [], failed: names })
    expect(transport.calls.length).toBeLessThan(names.length)
    await pass(20_000)
    transport.fault()
    // A try that was under way when the registry came back may have made some of them.
    const seeded = () => log.of('prompts.seeded').reduce((sum, { fields }) => sum + Number(fields.seeded), 0)
    await until(async () => seeded() === 11)
    expect((await transport.list()).items).toHaveLength(11)
    expect(
      log
        .of('prompts.seed_stopped')
        .map(({ level }) => level)
        .filter((level) => level === 'warn'),
    ).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('a registry that hangs is left within the budget', async () => {
    const { registry, transport } = open()
    transport.fault({ kind: 'hang' })
    const seeding = registry.seed()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await seeding).toMatchObject({ failed: names })
  })

  it('a registry that is slow is left within the budget, and what was done is done', async () => {
    const { registry, transport } = open()
    transport.fault({ kind: 'slow', ms: 2_000 })
    const seeding = registry.seed()
    await pass(5_000)
    const { seeded, failed } = await seeding
    expect([...seeded, ...failed].sort()).toEqual([...names].sort())
    expect([seeded.length >= 4, failed.length >= 3]).toEqual([true, true])
    transport.fault()
    await until(async () => (await transport.list()).items.length === 11)
  })

  it('one prompt that is refused does not keep the others from being seeded', async () => {
    const { registry, transport } = open()
    const refuseP0 = transport.seed
    Object.assign(transport, {
      seed: (...args: Parameters<typeof refuseP0>) =>
        args[0].name === 'p0'
          ? Promise.reject(new RegistryError('FORBIDDEN', 'not this one'))
          : refuseP0(...args),
    })
    await registry.seed()
    const listed = async () => (await transport.list()).items.map(({ name }) => name)
    await until(async () => (await listed()).length === 10)
    expect(await listed()).toEqual(names.filter((name) => name !== 'p0').sort())
  })

  it('ends with close', async () => {
    const { registry, transport } = open()
    transport.fault({ kind: 'error', error: outage })
    await registry.seed()
    await registry.close()
    expect(vi.getTimerCount()).toBe(0)
  })
})
