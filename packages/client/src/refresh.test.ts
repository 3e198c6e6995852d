import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { RegistryError } from './errors.ts'
import { createMemoryTransport } from './memory.ts'
import { createRegistry } from './registry.ts'

const TTL_MS = 100_000

async function open() {
  const transport = createMemoryTransport()
  const registry = createRegistry({ transport, env: {}, cacheTtlSeconds: TTL_MS / 1000 })
  onTestFinished(() => registry.close())
  await transport.plant({ name: 'memory', template: 'one' })
  await transport.moveAlias({ name: 'memory', alias: 'production', to: 1 })
  await registry.load('memory')
  const asked = () => transport.calls.filter(({ method }) => method === 'findByAlias').length
  return { transport, registry, asked }
}

describe('an entry that is in use', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('is asked for again in the last fifth of its TTL, so that no load waits', async () => {
    const { registry, transport, asked } = await open()
    await transport.plant({ name: 'memory', template: 'two' })
    await transport.moveAlias({ name: 'memory', alias: 'production', to: 2 })
    await vi.advanceTimersByTimeAsync(0.8 * TTL_MS - 1)
    expect(asked()).toBe(1)
    await vi.advanceTimersByTimeAsync(0.2 * TTL_MS)
    expect(asked()).toBe(2)
    expect(await registry.load('memory')).toMatchObject({ source: 'cache', template: 'two' })
  })

  it('is left alone when nobody used it for a TTL', async () => {
    const { asked } = await open()
    await vi.advanceTimersByTimeAsync(10 * TTL_MS)
    expect(asked()).toBe(2) // once more after its one use, then no more
  })

  it('stays as it is when the registry is away', async () => {
    const { registry, transport } = await open()
    transport.fault({ kind: 'error', error: new RegistryError('UNAVAILABLE', 'down') })
    await vi.advanceTimersByTimeAsync(TTL_MS)
    expect(await registry.load('memory')).toMatchObject({ source: 'stale', template: 'one' })
  })

  it('is left alone after close', async () => {
    const { registry, asked } = await open()
    await registry.close()
    await vi.advanceTimersByTimeAsync(10 * TTL_MS)
    expect(asked()).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})
