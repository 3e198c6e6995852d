import type { Logger } from './log.ts'
import type {
  JsonObject,
  ModelConfig,
  Prompt,
  PromptInfo,
  PromptSet,
  PromptVersion,
  Template,
} from './prompt.ts'
import type {
  Capabilities,
  Change,
  Page,
  PageRequest,
  RequestOptions,
  Transport,
  VersionDraft,
} from './transport.ts'

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

export interface RegistryOptions {
  /** Default: `MLFLOW_TRACKING_URI`, then `http://127.0.0.1:5055`. */
  readonly trackingUri?: string
  /** One alias or a chain; the first that the prompt has answers. Default `production`. */
  readonly alias?: string | readonly string[]
  /** Default 300; 0 = ask every time (the last good value is still kept for an outage). */
  readonly cacheTtlSeconds?: number
  /** Longest wait of a cold load in milliseconds, retries included. Default 2000. */
  readonly timeoutMs?: number
  /** Bundled texts: seed and last fallback. */
  readonly defaults?: Defaults
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
}

export interface LoadOptions {
  /** Alias or chain for this load. Not together with `version`. */
  readonly alias?: string | readonly string[] | undefined
  readonly version?: number | undefined
  /** Longest wait for the registry in milliseconds, retries included. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Sticky key of a rollout. */
  readonly key?: string | undefined
  /** Absence answers `undefined` (nothing else does), and the bundled default is not used. */
  readonly allowMissing?: boolean | undefined
  /** Oldest cached value accepted, in milliseconds; 0 asks the registry. Default: the TTL. */
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

/** For readiness: what the registry said last, and what fell back. */
export interface RegistryStatus {
  readonly state: 'unknown' | 'up' | 'down'
  readonly lastError?: { readonly code: string; readonly message: string; readonly at: number }
  readonly lastFallback?: {
    readonly prompt: string
    readonly alias?: string
    readonly code: string
    readonly message: string
    readonly at: number
  }
  /** Prompts whose bundled default is not what the registry says, from the last seeding. */
  readonly drifted: readonly string[]
}

export interface Registry {
  load(name: string, options: LoadOptions & { readonly allowMissing: true }): Promise<Prompt | undefined>
  load(name: string, options?: LoadOptions): Promise<Prompt>
  /** One deadline for all; the set is pinned. */
  loadSet(
    names: readonly string[],
    options?: Omit<LoadOptions, 'version' | 'allowMissing'>,
  ): Promise<PromptSet>
  register(draft: VersionDraft, options?: RequestOptions): Promise<PromptVersion>
  setAlias(
    name: string,
    alias: string,
    version: number,
    options?: RequestOptions & { readonly expected?: number | null; readonly reason?: string },
  ): Promise<Change>
  /** Makes what is missing, in one budget of 5 s; stops at the first outage or refusal. Never throws for those. */
  seed(defaults?: Defaults, options?: RequestOptions): Promise<SeedReport>
  capabilities(options?: RequestOptions): Promise<Capabilities>
  find(name: string, options?: RequestOptions): Promise<PromptInfo>
  list(page?: PageRequest, options?: RequestOptions): Promise<Page<PromptInfo>>
  versions(name: string, page?: PageRequest, options?: RequestOptions): Promise<Page<PromptVersion>>
  changes(name: string, page?: PageRequest, options?: RequestOptions): Promise<Page<Change>>
  status(): RegistryStatus
  /** Ends timers and requests under way; later loads are refused. */
  close(): Promise<void>
}
