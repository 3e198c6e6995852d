import type { RegistryStatus } from '@promptkeep/client'
import { Hono } from 'hono'
import type { Env } from '../http/guards.ts'

export interface StatusDeps {
  readonly registryStatus: () => RegistryStatus
  /** Rejects when the database cannot be read. */
  readonly checkDatabase: () => Promise<void>
  readonly model: { readonly name: string; readonly isDemo: boolean }
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** A fallback is news for so long: nobody says when its cause is gone. */
const RECENT_MS = 300_000

/** Whether the process lives, and whether it can do its work. */
export function statusRoutes({ registryStatus, checkDatabase, model, now }: StatusDeps) {
  return new Hono<Env>()
    .get('/health', (c) => c.json({ status: 'healthy', timestamp: iso(now()) }))
    .get('/ready', async (c) => {
      const { state, live, lastError, lastFallback, drifted } = registryStatus()
      const database = await checkDatabase().then(
        () => 'up' as const,
        () => 'down' as const,
      )
      const hasFallenBack = lastFallback !== undefined && now() - lastFallback.at < RECENT_MS
      // without a registry every prompt still has a text; without a database nothing is kept
      const status =
        database === 'down' ? 'unavailable' : state === 'down' || hasFallenBack ? 'degraded' : 'ready'
      return c.json(
        {
          ...{ status, database },
          registry: {
            ...{ state, live: live ?? null, drifted },
            last_error: lastError ? { ...lastError, at: iso(lastError.at) } : null,
            last_fallback: lastFallback ? { ...lastFallback, at: iso(lastFallback.at) } : null,
          },
          model: { name: model.name, is_demo: model.isDemo },
        },
        database === 'down' ? 503 : 200,
      )
    })
}

const iso = (milliseconds: number) => new Date(milliseconds).toISOString()
