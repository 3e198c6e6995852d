import { afterEach, expect, it, onTestFinished, vi } from 'vitest'
import { createMemoryTransport } from './memory.ts'
import { createRegistry } from './registry.ts'

afterEach(() => vi.useRealTimers())

it('keeps no timer for what it no longer keeps', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const transport = createMemoryTransport()
  const registry = createRegistry({ transport, env: {}, maxEntries: 10 })
  onTestFinished(() => registry.close())
  for (let i = 0; i < 200; i++) {
    await transport.plant({ name: `p${i}`, template: 'text' }, 'production')
    await registry.load(`p${i}`)
  }
  expect(vi.getTimerCount()).toBeGreaterThan(5)
  expect(vi.getTimerCount()).toBeLessThanOrEqual(20)
})

it('who listens takes no prompt away: a logger that throws', async () => {
  const transport = createMemoryTransport()
  const bad = () => {
    throw new Error('no disk')
  }
  const registry = createRegistry({
    transport,
    env: {},
    logger: { debug: bad, info: bad, warn() {}, error() {} },
  })
  onTestFinished(() => registry.close())
  await transport.plant({ name: 'memory', template: 'text' }, 'production')
  for (let i = 0; i < 3; i++) expect((await registry.load('memory')).template).toBe('text')
})
