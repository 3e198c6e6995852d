import { describe, expect, it, onTestFinished } from 'vitest'
import { RegistryError } from './errors.ts'
import { createMemoryTransport } from './memory.ts'
import type { RegistryOptions } from './options.ts'
import { createRegistry } from './registry.ts'

const outage = new RegistryError('UNAVAILABLE', 'refused')

/** A registry on memory whose clock stands still until a test moves it. */
async function open(options: RegistryOptions = {}) {
  const clock = { ms: 1_000_000 }
  const now = () => clock.ms
  const transport = createMemoryTransport({ now })
  const lines: { level: string; event: string; fields: Record<string, unknown> }[] = []
  const line = (level: string) => (fields: object, event: string) =>
    void lines.push({ level, event, fields: fields as Record<string, unknown> })
  const logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
  const registry = createRegistry({ transport, now, logger, env: {}, ...options })
  onTestFinished(() => registry.close())
  const events = (event: string) => lines.filter((l) => l.event === event)
  const publish = async (name: string, template: string, alias = 'production') => {
    const { version } = await transport.plant({ name, template })
    await transport.moveAlias({ name, alias, to: version })
  }
  const lookUps = () => transport.calls.filter(({ method }) => method === 'findByAlias').length
  return { registry, transport, clock, lines, events, publish, lookUps }
}

describe('order of sources', () => {
  it('asks the registry first, then its cache while that is fresh', async () => {
    const { registry, publish, lookUps, clock } = await open({ cacheTtlSeconds: 10 })
    await publish('memory', 'Remember {{ what }}')
    const first = await registry.load('memory')
    expect(first).toMatchObject({
      version: 1,
      alias: 'production',
      source: 'registry',
      isFallback: false,
      ageMs: 0,
    })
    clock.ms += 9_999
    expect(await registry.load('memory')).toMatchObject({ source: 'cache', ageMs: 9_999 })
    clock.ms += 1
    expect(await registry.load('memory')).toMatchObject({ source: 'registry', ageMs: 0 })
    expect(lookUps()).toBe(2)
    expect(first.format({ what: 'notes' })).toBe('Remember notes')
  })

  it('serves the last good value in an outage, then the default, then the error', async () => {
    const { registry, publish, transport, clock, events } = await open({
      cacheTtlSeconds: 10,
      defaults: { weather: 'Bundled' },
    })
    await publish('memory', 'Registry')
    await registry.load('memory')
    clock.ms += 60_000
    transport.fault({ kind: 'error', error: outage })
    expect(await registry.load('memory')).toMatchObject({ source: 'stale', version: 1, isFallback: false })
    expect(await registry.load('weather')).toMatchObject({ source: 'default', version: 0, isFallback: true })
    await expect(registry.load('other')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await registry.load('memory')
    expect(
      events('prompt.fell_back').map(({ fields }) => [fields.prompt, fields.source, fields.code]),
    ).toEqual([
      ['memory', 'stale', 'UNAVAILABLE'],
      ['weather', 'default', 'UNAVAILABLE'],
    ])
    expect(registry.status()).toMatchObject({
      state: 'down',
      lastFallback: { prompt: 'memory', code: 'UNAVAILABLE' },
    })
  })

  it('seeds, then finds everything in place', async () => {
    const { registry } = await open({ defaults: { memory: 'a', weather: 'b' } })
    expect(await registry.seed()).toEqual({
      seeded: ['memory', 'weather'],
      skipped: [],
      healed: [],
      drifted: [],
      failed: [],
    })
    expect(await registry.seed()).toMatchObject({ seeded: [], skipped: ['memory', 'weather'] })
    const set = await registry.loadSet(['memory', 'weather'])
    expect(set.get('weather').template).toBe('b')
    expect(set.versions.memory).toMatchObject({ version: 1, alias: 'production', source: 'registry' })
  })

  it('sees its own alias move at once', async () => {
    const { registry, publish } = await open()
    await publish('memory', 'one')
    await registry.load('memory')
    await registry.register({ name: 'memory', template: 'two' })
    await registry.setAlias('memory', 'production', 2)
    expect(await registry.load('memory')).toMatchObject({ version: 2, template: 'two' })
  })
})
