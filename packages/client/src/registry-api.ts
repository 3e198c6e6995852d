import type { Following, FollowOptions } from './follow-api.ts'
import type { RegistryStatus, SeedReport } from './options.ts'
import type { Lineage, PromptInfo, PromptSet, PromptVersion } from './prompt.ts'
import type { Run, RunOptions } from './run-api.ts'
import type {
  AliasMove,
  Capabilities,
  Change,
  Page,
  PageRequest,
  RequestOptions,
  VersionDraft,
} from './transport.ts'
import type {
  AliasChoice,
  AnyPrompts,
  CatalogOf,
  DefaultsFor,
  Known,
  Loaded,
  LoadOptionsFor,
  PromptCatalog,
  PromptName,
  PromptReference,
} from './typed.ts'

/** @typeParam P - The prompts that may be loaded, as `promptkeep generate` writes them. Default: any name. */
export interface Registry<P extends PromptCatalog = AnyPrompts> {
  readonly '~prompts'?: Known<P>
  /**
   * Resolves a prompt: fresh cache, then the registry, then a stale copy, then the bundled default.
   * Concurrent calls for one name and alias share one request. An entry in use is refreshed before its TTL
   * ends; a call that finds it expired waits ≤ 250 ms for the registry, then gets the old copy as `stale`.
   *
   * @param reference - A name, or any reference: `prompts:/name@alias`, `name@alias`, `prompts:/name/3`, `name/3`.
   * @returns The prompt; `prompt.source` says which step answered.
   * @throws {RegistryError} `PROMPT_NOT_FOUND`, `ALIAS_NOT_FOUND`, `VERSION_NOT_FOUND`: the registry answered, has no
   *   such thing, and no default exists. `TIMEOUT`, `UNAVAILABLE` or a refusal: nothing older, and no default.
   *   `INVALID_INPUT` before any request. The reason of `options.signal`, when that is aborted.
   */
  load<
    R extends PromptReference<P>,
    Version extends number | undefined = undefined,
    Missing extends boolean | undefined = undefined,
  >(
    reference: R,
    options?: LoadOptionsFor<AliasChoice<P, R>, Version, Missing>,
  ): Promise<Loaded<P, R, Version, Missing>>
  /** As `load` for each, with one deadline for all; the set is pinned. Names may be references. */
  loadSet<R extends PromptReference<P>>(
    references: readonly R[],
    options?: Omit<LoadOptionsFor<AliasChoice<P, R>, undefined, undefined>, 'version' | 'allowMissing'>,
  ): Promise<PromptSet<CatalogOf<P, R>>>
  /** Appends a version. @throws {RegistryError} `INVALID_INPUT` before any request; what the registry said */
  register(draft: VersionDraft, options?: RequestOptions): Promise<PromptVersion>
  /**
   * Points an alias; this registry's own loads see it at once. What the options mean: `AliasMove`.
   * @throws {Conflict} with the current version
   * @throws {RegistryError} `FORBIDDEN` naming the clause of the alias's policy that failed
   */
  setAlias(
    name: string,
    alias: string,
    version: number,
    options?: RequestOptions & Partial<Pick<AliasMove, 'expected' | 'reason' | 'evidence' | 'force'>>,
  ): Promise<Change>
  /**
   * Makes what is missing, and points the registry's alias at it (of a chain: the last). One budget of 5 s; stops at
   * the first outage or refusal, never throws for those, and tries again in the background until it is complete.
   */
  seed(defaults?: DefaultsFor<P>, options?: RequestOptions): Promise<SeedReport>
  /** What the server can do, and `scope`: whether `run` follows asynchronous calls on this platform. */
  capabilities(options?: RequestOptions): Promise<Capabilities & { readonly scope: boolean }>
  find(name: string, options?: RequestOptions): Promise<PromptInfo>
  list(page?: PageRequest, options?: RequestOptions): Promise<Page<PromptInfo>>
  versions(name: string, page?: PageRequest, options?: RequestOptions): Promise<Page<PromptVersion>>
  changes(name: string, page?: PageRequest, options?: RequestOptions): Promise<Page<Change>>
  /**
   * Follows the registry from now on: a move is in the next load at once. On our server by its stream of changes (and by
   * polling while that cannot be had), on a stock MLflow by polling. One follower at a time. Does not wait for the
   * registry: `ready` does.
   * @throws {InvalidInput} for a bad option; everything later is in the answer's `state`, in `status()` and in the log
   */
  follow(options?: FollowOptions): Promise<Following>
  /**
   * Runs `work` as one run of an agent: every prompt that it loads is resolved once and stays the same until it ends, and
   * `lineage` says what was used. Where the platform has `AsyncLocalStorage`, that holds for every load of this registry
   * inside (`capabilities().scope`); elsewhere for the loads of the `run` that `work` is given. A run inside a run joins it.
   */
  run<T>(
    work: (run: Run<P>) => T | Promise<T>,
    options?: RunOptions<PromptReference<P>, AliasChoice<P, PromptName<P>>>,
  ): Promise<T>
  /** What the current run has used so far, by prompt; `undefined` outside of a run. */
  lineage(): Readonly<Record<string, Lineage>> | undefined
  status(): RegistryStatus
  /** Ends timers and requests under way; later loads are refused. */
  close(): Promise<void>
}
