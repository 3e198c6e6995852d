import { openStream, type StreamOptions } from './change-stream.ts'
import { sleep } from './deadline.ts'
import { isOutage, type RegistryError } from './errors.ts'
import { toChange } from './own-wire.ts'
import type { Change } from './transport.ts'

/** What a follower of the log hears. */
export type LogEvent =
  | { readonly kind: 'change'; readonly change: Change }
  /** Rows between the cursor and `last` cannot be told any more: whoever keeps a state asks for it anew. */
  | { readonly kind: 'reset'; readonly last: number; readonly reason: string }
  /** The connection is lost and is being made anew, or is there again; nothing is missed. */
  | { readonly kind: 'lost'; readonly error: RegistryError }
  | { readonly kind: 'connected' }

const FIRST_BACKOFF_MS = 500
const MAX_BACKOFF_MS = 10_000

export interface FollowChangesOptions extends StreamOptions {
  /** 0 ≤ n < 1 */
  readonly random: () => number
  /** All changes after this `seq`; default: from now on. */
  readonly after?: number | undefined
}

/**
 * The change log as it is written. It connects again by itself and goes on after the last change that it told, so
 * none is missed and none told twice. @throws {RegistryError} when the first connection fails, and for a refusal
 */
export async function* followChanges(options: FollowChangesOptions): AsyncGenerator<LogEvent> {
  const { random, signal } = options
  let cursor = options.after === undefined ? undefined : String(options.after)
  let wasConnected = false
  let failures = 0
  let firstMs = FIRST_BACKOFF_MS
  while (!signal.aborted) {
    try {
      for await (const { event, data: said, cursor: id, retryMs } of openStream(options, cursor)) {
        firstMs = retryMs ?? firstMs
        if (event === 'hello') {
          wasConnected = true
          failures = 0
          cursor ??= String(said.seq)
          yield { kind: 'connected' }
        }
        if (event === 'change') yield { kind: 'change', change: toChange(said.change) }
        if (event === 'reset') yield { kind: 'reset', last: Number(said.last), reason: String(said.reason) }
        cursor = id ?? cursor // after it was told: who stops in between hears it again, not never
      }
    } catch (error) {
      if (signal.aborted) return
      if (!wasConnected || !isOutage(error)) throw error
      if (failures === 0) yield { kind: 'lost', error: error as RegistryError }
    }
    const backoffMs = Math.min(MAX_BACKOFF_MS, firstMs * 2 ** failures++) * (0.5 + random())
    await sleep(backoffMs, signal).catch(() => {})
  }
}
