import { createRegistry } from '@promptkeep/client'
import type { Job, Load } from '../job.ts'

export function createLoad({ url, ttlSeconds, bundled }: Job): Load {
  const registry = createRegistry({ trackingUri: url, cacheTtlSeconds: ttlSeconds, defaults: bundled })
  return async (name) => (await registry.load(name)).template as string
}
