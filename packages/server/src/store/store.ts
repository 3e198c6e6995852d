import type { Change, Weights } from '@promptkeep/client/protocol'
import type { Author, PolicyStore, TokenStore } from './access-port.ts'
import type { FleetStore } from './fleet-port.ts'
import type { ChangeStore, HistoryStore } from './history-port.ts'
import type { Found, Search } from './search-port.ts'
import type { ExperimentStore, RunStore } from './tracking-port.ts'

export * from './access-port.ts'
export * from './fleet-port.ts'
export type * from './history-port.ts'
export type * from './search-port.ts'
export type * from './tracking-port.ts'

/**
 * What the server needs from a database. Nothing outside `store/` knows which one it is. Every method that
 * writes is one transaction, and its row of the change log commits with it. Errors are those of
 * `@promptkeep/client/protocol`, with MLflow's texts.
 */
export interface Store {
  readonly prompts: PromptStore
  readonly versions: VersionStore
  readonly aliases: AliasStore
  readonly changes: ChangeStore
  readonly history: HistoryStore
  readonly tokens: TokenStore
  readonly policies: PolicyStore
  readonly fleet: FleetStore
  readonly experiments: ExperimentStore
  readonly runs: RunStore
  /** One cheap read, for readiness. @throws when the database does not answer. */
  ping(): Promise<void>
  close(): Promise<void>
}

/** Longest id of a request, in characters: Postgres cannot index what is much longer. */
export const MAX_REQUEST_ID = 200

export type Tags = Readonly<Record<string, string>>

/** A prompt, or a plain MLflow model: they share one name space and these tables. */
export interface RegisteredModel {
  readonly name: string
  readonly description: string
  readonly createdAt: number
  readonly updatedAt: number
  readonly tags: Tags
  readonly aliases: readonly { readonly alias: string; readonly version: number }[]
  /** Newest live version of each stage; their `aliases` are left empty, as MLflow does. */
  readonly latestVersions: readonly ModelVersion[]
}

export interface ModelVersion {
  readonly name: string
  readonly version: number
  /** `undefined` after an update without one (MLflow then leaves the field out). */
  readonly description: string | undefined
  readonly source: string
  readonly runId: string
  readonly runLink: string
  readonly stage: string
  readonly createdAt: number
  readonly updatedAt: number
  readonly tags: Tags
  readonly aliases: readonly string[]
}

export interface PromptStore {
  /** @throws {RegistryError} `CONFLICT` as RESOURCE_ALREADY_EXISTS (400) when the name is taken, by either kind. */
  create(draft: { name: string; description: string; tags: Tags }): Promise<RegisteredModel>
  /** @throws {PromptNotFound} */
  get(name: string): Promise<RegisteredModel>
  /** Without a description it is cleared. @throws {PromptNotFound} */
  update(name: string, description: string | undefined): Promise<RegisteredModel>
  /** Versions, tags and aliases follow; logged as `prompt.renamed`. @throws {PromptNotFound} @throws {RegistryError} `CONFLICT` */
  rename(name: string, newName: string, author: Author): Promise<RegisteredModel>
  /** With its versions; numbering starts again at 1 for the next prompt of this name. @throws {PromptNotFound} */
  delete(name: string, author: Author): Promise<void>
  /** As MLflow: prompts are found only by a clause that asks for them (`store/search.ts`). */
  search(search: Search): Promise<Found<RegisteredModel>>
  /** @throws {PromptNotFound} @throws {InvalidInput} when it would change whether this is a prompt */
  setTag(name: string, key: string, value: string): Promise<void>
  /** Absent tag: nothing happens. @throws as `setTag` */
  deleteTag(name: string, key: string): Promise<void>
  /**
   * Registers and points the alias if the prompt is absent, in one transaction. Heals a prompt only when it has
   * no version, or exactly one that is tagged as seeded, has this digest and never had an alias; that is a move, and
   * guarded like one, as is seeding a name that had another prompt. @throws {RegistryError} `FORBIDDEN`
   */
  seed(draft: SeedDraft, author: Author): Promise<SeedOutcome>
}

export interface SeedDraft {
  readonly name: string
  readonly alias: string
  /** Of the prompt. */
  readonly description: string
  /** Description of the version. */
  readonly commitMessage: string
  /** All tags of the version as they go on the wire, content included. */
  readonly versionTags: Tags
  readonly promptTags: Tags
  readonly digest: string
}

export interface SeedOutcome {
  readonly outcome: 'seeded' | 'skipped' | 'healed'
  /** What the alias says now, if anything. */
  readonly current?: { readonly version: number; readonly digest: string }
}

export interface VersionDraft {
  readonly name: string
  readonly source: string
  readonly runId: string
  readonly runLink: string
  readonly description: string
  readonly tags: Tags
  /** Digest of the content, absent for a plain model's version. */
  readonly digest?: string | undefined
}

export interface VersionStore {
  /**
   * Appends a version. A request id (tag `promptkeep.request_id`, at most 200 characters) that this prompt has seen
   * answers the version made then, unless that was deleted. @throws {PromptNotFound} @throws {InvalidInput}
   */
  create(draft: VersionDraft, author: Author): Promise<ModelVersion>
  /** With its aliases. @throws {VersionNotFound} also for a deleted one */
  get(name: string, version: number): Promise<ModelVersion>
  /** Newest live version per stage (`stages` empty: every stage), with aliases. @throws {PromptNotFound} */
  latest(name: string, stages: readonly string[]): Promise<readonly ModelVersion[]>
  /** Edits the commit message; a change. Without one the field is removed. @throws {VersionNotFound} */
  update(
    name: string,
    version: number,
    description: string | undefined,
    author: Author,
  ): Promise<ModelVersion>
  /** Soft: the number is never used again; its aliases go with it. @throws {VersionNotFound} */
  delete(name: string, version: number, author: Author): Promise<void>
  /** Stage of a plain model's version. @throws {VersionNotFound} */
  transition(name: string, version: number, stage: string, archiveExisting: boolean): Promise<ModelVersion>
  /** Live versions; their `aliases` are left empty, as MLflow does. Prompts as in `PromptStore.search`. */
  search(search: Search): Promise<Found<ModelVersion>>
  /**
   * Free tags change freely; a `promptkeep.rollout.<alias>` is a change, wherever the alias points. The tags that hold
   * content, or tell how the version was made, never change (setting what they say already is no change); of them the model config may, as a change,
   * where the store was opened for it. @throws {VersionNotFound} @throws {InvalidInput}
   */
  setTag(name: string, version: number, key: string, value: string, author: Author): Promise<void>
  /** Absent tag: nothing happens. @throws as `setTag` */
  deleteTag(name: string, version: number, key: string, author: Author): Promise<void>
}

export interface AliasMove extends Author {
  readonly name: string
  readonly alias: string
  readonly to: number
  /** Compare-and-set: the version that must be current, `null` = unset, absent = do not compare. */
  readonly expected?: number | null | undefined
  /** Of this request, so that it may be sent again: 1 to `MAX_REQUEST_ID` characters, unique within the prompt. */
  readonly requestId?: string | undefined
}

export interface Rollout extends Author {
  readonly name: string
  readonly alias: string
  /** Checked: they sum to 100. One version with 100 ends a rollout. */
  readonly weights: Weights
  /** As `AliasMove.expected`. */
  readonly expected?: number | null | undefined
  /** As `AliasMove.requestId`. */
  readonly requestId?: string | undefined
}

export interface AliasStore {
  /**
   * Follows an alias; `latest` is the newest live version. `undefined` when there is no such alias.
   * @throws {PromptNotFound} @throws {VersionNotFound} `latest` of a prompt without versions, in MLflow's words
   */
  find(name: string, alias: string): Promise<ModelVersion | undefined>
  /**
   * Points an alias and logs the change in one transaction, also when it pointed there before. A request id that this
   * prompt has seen answers the change made then, and nothing is compared or moved: wherever the alias is by now.
   * @throws {PromptNotFound} @throws {VersionNotFound} @throws {Conflict}
   * @throws {InvalidInput} when the request id was used by another actor, to move another alias or to another version,
   * or by a rollback
   */
  move(move: AliasMove): Promise<Change>
  /**
   * Shares an alias among versions: the weights as a tag on the version that it points at, and where that is none of them
   * it is pointed at the largest share; the version that it leaves loses its weights. Judged as a change of the rollout,
   * and a move as a move. The request's changes, in their order: none where the alias says that already.
   * @throws {PromptNotFound} @throws {VersionNotFound} @throws {Conflict} @throws {RegistryError} `FORBIDDEN`
   * @throws {InvalidInput} for a version without a text, and for a request id that another request had
   */
  setRollout(rollout: Rollout): Promise<readonly Change[]>
  /** Absent alias: nothing happens and nothing is logged. @throws {PromptNotFound} @throws {Conflict} */
  remove(name: string, alias: string, author: Author & Pick<AliasMove, 'expected'>): Promise<void>
}
