import { FIRST_PAUSE_MS, LONGEST_PAUSE_MS } from './breaker.ts'

/**
 * Remembers refusals (a revoked token, a version that cannot be read), so that each is paid for once, as an outage is. It is
 * told of one key: another one may be allowed.
 */
export interface Refusals {
  note(key: string, error: Error): void
  /** It was answered in another way. */
  forget(key: string): void
  /** @throws what was noted, while it is no use to ask again */
  throwIfRecent(key: string): void
}

export interface RefusalsOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** The oldest goes first. */
  readonly maxEntries: number
}

export function createRefusals({ now, maxEntries }: RefusalsOptions): Refusals {
  const noted = new Map<string, { readonly error: Error; readonly pauseMs: number; readonly at: number }>()
  return {
    note(key, error) {
      const pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * (noted.get(key)?.pauseMs ?? FIRST_PAUSE_MS / 2))
      noted.delete(key)
      noted.set(key, { error, pauseMs, at: now() })
      const [oldest] = noted.keys()
      if (noted.size > maxEntries && oldest !== undefined) noted.delete(oldest)
    },
    forget: (key) => noted.delete(key),
    throwIfRecent(key) {
      const known = noted.get(key)
      const ageMs = known ? now() - known.at : -1
      // A clock that was set back must not make the pause longer.
      if (known && ageMs >= 0 && ageMs < known.pauseMs) throw known.error
    },
  }
}
