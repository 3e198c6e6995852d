import type { FollowState } from './follow-api.ts'
import type { Logger } from './log.ts'
import type { JsonObject, ModelConfig, Template } from './prompt.ts'
import type { SnapshotStore } from './snapshot-port.ts'
import type { Telemetry } from './telemetry.ts'
import type { Transport } from './transport.ts'
import type { AliasName, AnyPrompts, DefaultsFor, PromptCatalog } from './typed.ts'

/** A bundled text: the template alone, or with its settings. */
export type Default =
  | Template
  | {
      readonly template: Template
      readonly description?: string
      readonly modelConfig?: ModelConfig
      readonly responseFormat?: JsonObject
      readonly tags?: Readonly<Record<string, string>>
    }
export type Defaults = Readonly<Record<string, Default>>

/** @typeParam P - As of `createRegistry`: with it a default of another name, or an alias of no prompt, does not compile. */
export interface RegistryOptions<P extends PromptCatalog = AnyPrompts> {
  /** Default: `MLFLOW_TRACKING_URI`, then `http://127.0.0.1:5055`. */
  readonly trackingUri?: string
  /** One alias or a chain; the first that the prompt has answers. Default `production`. */
  readonly alias?: AliasName<P> | readonly AliasName<P>[]
  /** Default 300; 0 = ask every time (the last good value is still kept for an outage). */
  readonly cacheTtlSeconds?: number
  /** Longest wait of a cold load in milliseconds, retries included. Default 2000. */
  readonly timeoutMs?: number
  /** Bundled texts: seed and last fallback. */
  readonly defaults?: DefaultsFor<P>
  /** Evals and CI: nothing but the registry, or a cache that it filled, answers. Default false. */
  readonly strict?: boolean
  readonly logger?: Logger
  /** Default: MLflow's REST at `trackingUri`. */
  readonly transport?: Transport
  /** Milliseconds since the epoch; for tests. */
  readonly now?: () => number
  /** Where settings are read from. Default `process.env` where there is one. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Most entries kept; the least recently used goes first. Default 1000. */
  readonly maxEntries?: number
  /** Where last known good values outlive the process, as `snapshotFile` of `@promptkeep/client/snapshot`. Default none. */
  readonly snapshot?: SnapshotStore
  /** Hears of loads, as `openTelemetry` of `@promptkeep/client/opentelemetry`. Default none. */
  readonly telemetry?: Telemetry
  /** Folder of the prompt files, for the commands that a drift is reported with. Default `./prompts`. */
  readonly promptsFolder?: string
}

export interface LoadOptions {
  /** Alias or chain for this load. Not together with `version`. */
  readonly alias?: string | readonly string[] | undefined
  readonly version?: number | undefined
  /** Longest wait for the registry in milliseconds, retries included. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /**
   * Sticky key of a rollout (a user, a conversation): the same key gets the same version while the weights stay. Without
   * one an alias that is split answers the version that it points at.
   */
  readonly key?: string | undefined
  /** Absence answers `undefined` (nothing else does), and the bundled default is not used. */
  readonly allowMissing?: boolean | undefined
  /**
   * Oldest cached value accepted, in milliseconds; 0 asks the registry. Default: the TTL. When given, a slow registry is
   * waited for as on a cold load: an older value answers in an outage only.
   */
  readonly maxAgeMs?: number | undefined
  /** Extra fields of the log lines of this load, e.g. a correlation id. */
  readonly logFields?: Readonly<Record<string, string>> | undefined
}

export interface SeedReport {
  readonly seeded: readonly string[]
  readonly skipped: readonly string[]
  /** Finished what an earlier seeding left half done. */
  readonly healed: readonly string[]
  /** The registry says another text than the bundled default. */
  readonly drifted: readonly string[]
  readonly failed: readonly string[]
}

/** For readiness: what the registry said last, and what was served in place of its answer. */
export interface RegistryStatus {
  readonly state: 'unknown' | 'up' | 'down'
  readonly lastError?: { readonly code: string; readonly message: string; readonly at: number }
  readonly lastFallback?: {
    readonly prompt: string
    readonly alias?: string
    /** What was served instead: `stale`, `snapshot` or `default`. */
    readonly source: string
    readonly code: string
    readonly message: string
    readonly at: number
  }
  /** Prompts whose bundled default is not what the registry says, from the last seeding. */
  readonly drifted: readonly string[]
  /** Absent while nothing follows. */
  readonly live?: FollowState
}
