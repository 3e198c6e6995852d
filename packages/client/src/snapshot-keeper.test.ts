import { expect, it } from 'vitest'
import { createMemoryTransport } from './memory.ts'
import { createRegistry } from './registry.ts'
import type { Snapshot, SnapshotStore } from './snapshot-port.ts'

const hanging: SnapshotStore = {
  where: 'a disk that hangs',
  read: () => new Promise<Snapshot | undefined>(() => {}),
  write: () => new Promise<void>(() => {}),
}

it('a store that hangs holds up neither a load for longer than its limit nor the end of the program', async () => {
  const transport = createMemoryTransport()
  transport.fault({ kind: 'hang' })
  const registry = createRegistry({ transport, env: {}, snapshot: hanging, timeoutMs: 400 })
  const startedAt = performance.now()
  await expect(registry.load('memory')).rejects.toMatchObject({ code: 'TIMEOUT' })
  expect(performance.now() - startedAt).toBeLessThan(1_500)
  await registry.close()
})
