import type { ChangeKind } from './change-kinds.ts'
import type { JsonObject, ModelConfig, PromptInfo, PromptVersion, Template } from './prompt.ts'

/** What a registry offers beyond MLflow's protocol. Everything is false on a stock MLflow server. */
export interface Capabilities {
  /** `promptkeep` when our server answers, else `mlflow`. */
  readonly server: 'promptkeep' | 'mlflow'
  /** The server's own version text, as `/version` or `capabilities` gives it. */
  readonly version: string
  /** One conditional call per prompt in one transaction. */
  readonly seed: boolean
  /** Alias moves are compared and set in one transaction. */
  readonly compareAndSet: boolean
  /** The whole change log; without it only the last move of each alias is known. */
  readonly history: boolean
  /** Changes come as a stream. */
  readonly live: boolean
  /** Takes reports of what runs where. */
  readonly fleet: boolean
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined
  /** Longest wait in milliseconds, retries included. */
  readonly timeoutMs?: number | undefined
  /** Default true: what may heal is tried again while there is time. */
  readonly retry?: boolean | undefined
}

/** A version that is about to be registered: already validated (names, messages, model config). */
export interface VersionDraft {
  readonly name: string
  readonly template: Template
  readonly modelConfig?: ModelConfig | undefined
  readonly responseFormat?: JsonObject | undefined
  readonly commitMessage?: string | undefined
  /** Description of the prompt when this makes it; default: the commit message. An existing one is not changed. */
  readonly description?: string | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
}

export interface AliasMove {
  readonly name: string
  readonly alias: string
  readonly to: number
  /** The version that the caller believes is current, `null` for "unset"; absent = do not compare. */
  readonly expected?: number | null | undefined
  readonly reason?: string | undefined
  /** Where the alias's policy asks for it: the eval run that judged this version, as its id or `runs:/<id>`. */
  readonly evidence?: string | undefined
  /** Moves it against its policy; needs an admin and a reason, and the change is marked `forced`. */
  readonly force?: boolean | undefined
}

export type { ChangeKind } from './change-kinds.ts'

/** One row of the append-only log. Absent keys do not apply to the kind. */
export interface Change {
  /** Position in the log; absent where the registry has no log (stock MLflow). */
  readonly seq?: number
  readonly kind: ChangeKind
  readonly prompt: string
  readonly alias?: string
  /** Version before; absent when there was none. */
  readonly from?: number
  readonly to?: number
  /** New name of a renamed prompt. */
  readonly newName?: string
  /** Digest of the version in `to` (or of the one registered or deleted): numbers start again after a delete. */
  readonly digest?: string
  readonly actor?: string
  readonly reason?: string
  /** Of a move: `runs:/<id>` of the run that was checked. Of an edit: the JSON of `{ before, after }`. */
  readonly evidence?: string
  /** True when an admin made it against the alias's policy; else absent. */
  readonly forced?: boolean
  /** Of a rollback: the `seq` of the row whose state it brought back. */
  readonly restores?: number
  /** Never before the `at` of the row before it, also when the server's clock was set back.
   * Milliseconds since the epoch. */
  readonly at: number
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Absent on the last page. */
  readonly nextPageToken?: string
}

export interface PageRequest {
  /** 1…1000, default 100 */
  readonly limit?: number | undefined
  readonly pageToken?: string | undefined
}

/** `healed` finished what an earlier seeding left half done; `skipped` touched nothing. */
export type SeedOutcome = 'seeded' | 'skipped' | 'healed'

export interface SeedResult {
  readonly outcome: SeedOutcome
  /** What the alias says now: the version and its digest, absent when the prompt exists and the alias does not. */
  readonly current?: { readonly version: number; readonly digest: string }
}

/**
 * What the library needs from a registry. Three exist: MLflow's REST over fetch (`mlflow.ts`), memory for
 * tests (`memory.ts`), and whatever a user writes. Every method rejects with a `RegistryError`: absence
 * (`*_NOT_FOUND`), refusal (`INVALID_INPUT`, `FORBIDDEN`, `UNAUTHENTICATED`, `CONFLICT`) or outage
 * (`TIMEOUT`, `UNAVAILABLE`). None caches, and none falls back.
 */
export interface Transport {
  /** Where it asks, for messages: never holds credentials. */
  readonly address: string
  /** Identifies server, workspace and credentials (as a hash); part of every cache key. */
  readonly scope: string
  /** Asked once per connection by the library and remembered while the server answers. */
  capabilities(options?: RequestOptions): Promise<Capabilities>
  /** One request. `latest` is the newest version. */
  findByAlias(name: string, alias: string, options?: RequestOptions): Promise<PromptVersion>
  /** One request. */
  findByVersion(name: string, version: number, options?: RequestOptions): Promise<PromptVersion>
  find(name: string, options?: RequestOptions): Promise<PromptInfo>
  /** All prompts by name, without text. */
  list(page?: PageRequest, options?: RequestOptions): Promise<Page<PromptInfo>>
  /** One prompt's versions, newest first. */
  versions(name: string, page?: PageRequest, options?: RequestOptions): Promise<Page<PromptVersion>>
  /** Appends a version, making the prompt when it is new. A retry inside makes no second version. */
  register(draft: VersionDraft, options?: RequestOptions): Promise<PromptVersion>
  /** Points an alias; a retry inside is the same move. @throws {Conflict} when `expected` is given and is not the current version. */
  moveAlias(move: AliasMove, options?: RequestOptions): Promise<Change>
  /** Registers and points the alias if the prompt is absent; never touches an existing one, save to heal. */
  seed(draft: VersionDraft & { readonly alias: string }, options?: RequestOptions): Promise<SeedResult>
  /** One prompt's changes, newest first. On stock MLflow: the last move of each alias, as far as it was recorded. */
  changes(name: string, page?: PageRequest, options?: RequestOptions): Promise<Page<Change>>
}
