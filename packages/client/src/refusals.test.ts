import { expect, it, onTestFinished } from 'vitest'
import { RegistryError } from './errors.ts'
import { createMemoryTransport } from './memory.ts'
import type { RegistryOptions } from './options.ts'
import { createRegistry } from './registry.ts'

const refused = new RegistryError('UNAUTHENTICATED', 'revoked')

async function open(options: RegistryOptions = {}) {
  const clock = { ms: 1_000_000 }
  const transport = createMemoryTransport()
  const registry = createRegistry({ transport, env: {}, now: () => clock.ms, cacheTtlSeconds: 1, ...options })
  onTestFinished(() => registry.close())
  await registry.register({ name: 'memory', template: 'one' })
  await registry.setAlias('memory', 'production', 1)
  await registry.load('memory')
  const asked = () => transport.calls.filter(({ method }) => method === 'findByAlias').length
  return { clock, transport, registry, asked }
}

it('a refusal is paid for once: what is known answers without asking, and after pauses it is asked again', async () => {
  const { clock, transport, registry, asked } = await open()
  clock.ms += 5_000
  transport.fault({ kind: 'error', error: refused })
  const before = asked()
  for (let i = 0; i < 20; i++) expect((await registry.load('memory')).source).toBe('stale')
  expect(asked() - before).toBe(1)
  clock.ms += 1_001
  for (let i = 0; i < 20; i++) await registry.load('memory')
  expect(asked() - before).toBe(2)
  clock.ms += 1_001 // the pause is twice as long by now
  await registry.load('memory')
  expect(asked() - before).toBe(2)
  clock.ms += 1_001
  transport.fault()
  expect((await registry.load('memory')).source).toBe('registry')
})

it('so it is with a bundled default; who has nothing else asks each time', async () => {
  const { clock, transport, registry, asked } = await open({ defaults: { bundled: 'text' } })
  transport.fault({ kind: 'error', error: refused })
  const before = asked()
  for (let i = 0; i < 5; i++) expect((await registry.load('bundled')).source).toBe('default')
  expect(asked() - before).toBe(1)
  for (let i = 0; i < 5; i++)
    await expect(registry.load('nobody')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  expect(asked() - before).toBe(6)
  clock.ms -= 3_600_000 // set back: the pause is over
  await registry.load('bundled')
  expect(asked() - before).toBe(7)
})
