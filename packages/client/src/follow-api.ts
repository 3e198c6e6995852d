import type { Change } from './transport.ts'

export interface FollowOptions {
  /** How often a registry without a stream is asked, in seconds. Default 15, at least 1. */
  readonly pollIntervalSeconds?: number | undefined
  /**
   * Hears of each change after the cache took it. What it throws is logged, and stops nothing. A follower with it keeps a
   * Node process alive until it is stopped, as any listener does; one without it does not.
   */
  readonly onChange?: ((change: FollowedChange) => void) | undefined
  /**
   * Tells the registry what runs here, for `promptkeep fleet`: after each change and every 30 s. Registries without a
   * fleet are told nothing. Default: nothing is reported.
   */
  readonly report?: { readonly app: string; readonly instance?: string | undefined } | undefined
  /** Ends it, as `stop` does. */
  readonly signal?: AbortSignal | undefined
}

/** A change as a follower learned of it: of a log its row; by polling only what an alias says now. */
export type FollowedChange = Pick<Change, 'kind' | 'prompt' | 'alias' | 'from' | 'to' | 'seq'>

/**
 * `connecting`: nothing heard yet, or the stream is being connected again. `live`: the stream is open. `polling`: there is none, or it is lost for now. `down`:
 * neither stream nor polling gets an answer. `stopped`: by `stop`, its signal or `close`, or refused (401, 403).
 */
export type FollowState = 'connecting' | 'live' | 'polling' | 'down' | 'stopped'

export interface Following {
  readonly state: FollowState
  /** The last change that the cache knows, where the registry has a log. */
  readonly seq: number | undefined
  /** Resolves with the first `live` or `polling`, and when it is stopped before; never rejects. */
  readonly ready: Promise<void>
  stop(): void
}
