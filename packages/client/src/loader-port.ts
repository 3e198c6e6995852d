import type { Admitted } from './admission.ts'
import type { Breaker } from './breaker.ts'
import type { Cache } from './cache.ts'
import type { RegistryError } from './errors.ts'
import type { PromptBody, PromptSource, PromptVersion } from './prompt.ts'
import type { Key, Part, Wanted } from './question.ts'
import type { LastGood } from './snapshot-keeper.ts'
import type { Timers } from './timers.ts'
import type { Transport } from './transport.ts'

export interface LoadLimits {
  /** Longest wait in milliseconds, for all steps together. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Oldest cached value that counts as fresh; default: the TTL. */
  readonly maxAgeMs?: number | undefined
  /** Of a rollout. */
  readonly key?: string | undefined
  /** The caller has something to fall back on: a known outage is not waited for. */
  readonly hasDefault?: boolean | undefined
}

/** A value that the registry said, now or earlier. */
export interface Found {
  readonly body: PromptBody
  readonly source: Exclude<PromptSource, 'default'>
  readonly alias?: string | undefined
  readonly confirmedAt: number
  /** Why it is not simply what the registry says now: an outage, a changed version, an alias without a text. */
  readonly cause?: unknown
}

/** A cached answer, and how long it may be given again without looking at all. */
export interface Fresh {
  readonly found: Found
  /** While the loader's `epoch` is this, and the time is in between. Milliseconds since the epoch. */
  readonly epoch: number
  readonly from: number
  readonly until: number
  /** To be told of use: what is not used is not refreshed. */
  readonly slots: readonly { usedAt: number }[]
}

export interface Loader {
  readonly state: { readonly epoch: number }
  /** Where the answers to a question are kept. Callers that ask often keep it. */
  keysOf(name: string, wanted: Wanted): readonly Key[]
  /** The value that `find` would answer from the cache, without waiting; `undefined` when it has more to do. */
  fresh(keys: readonly Key[]): Fresh | undefined
  /** Fresh cache, then the registry, then (unless strict) the last good value. @throws what the registry said */
  find(keys: readonly Key[], limits: LoadLimits): Promise<Found>
  /**
   * This process wrote: what it was told to be absent of this prompt may be there now, `latest` may be another version,
   * and what is named has changed.
   */
  written(name: string, ...changed: readonly Part[]): void
  /** For who learns of changes otherwise than by asking: `live-cache.ts`, `own-moves.ts`. */
  readonly inside: LoaderInside
}

/** What those need to keep the cache true. */
export interface LoaderInside {
  readonly cache: Cache<Admitted>
  readonly scope: string
  admit(version: PromptVersion): Promise<Admitted>
  /** For what outlives the process: it says this version now, or nothing. */
  heard(key: Key, version: PromptVersion | undefined): void
  /** Asks again before the answer is too old, while it is in use. */
  keepFresh(key: Key): void
  /** Asks now; joins a request under way. */
  refresh(key: Key): Promise<void>
  /** As {@link LiveCache.freshWhile}. */
  freshWhile(live: LiveWindow | undefined): void
}

export interface LiveWindow {
  readonly since: number
  readonly until: number
}

export interface LoaderOptions {
  readonly transport: Transport
  /** Hears of every outage here; of answers from `onAnswer`. */
  readonly breaker: Breaker
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** 0 ≤ n < 1 */
  readonly random: () => number
  readonly timers: Timers
  readonly ttlMs: number
  /** Longest wait of a request in milliseconds; loads that share it may wait less. */
  readonly timeoutMs: number
  readonly strict: boolean
  readonly maxEntries: number
  /** Aborted when the registry is closed. */
  readonly closing: AbortSignal
  /** The registry answered, with the value of `name` if given. */
  readonly onAnswer: (name?: string) => void
  /** What outlives the process; absent without a snapshot. */
  readonly lastGood?: LastGood | undefined
  /** An outage or a refusal. */
  readonly onTrouble: (error: RegistryError) => void
}
