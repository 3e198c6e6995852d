import { type Change, type ChangeKind, ROLES, type Role } from '@promptkeep/client/protocol'

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

/** Who asks, and what they may. */
export interface Principal {
  /** The token's name, as it stands in the change log. */
  readonly actor: string
  readonly roles: readonly Role[]
  /** Absent while the server has no tokens. */
  readonly tokenId?: string | undefined
}

/** Whoever reaches a server that has no tokens: it listens on loopback only. */
export const ANYBODY: Principal = { actor: 'anonymous', roles: ROLES }

/** Who did it, by which right, and why: for policies and the change log. */
export interface Author extends Principal {
  readonly reason?: string | undefined
  /** For a policy that asks for it: the id of the eval run that judged what an alias is moved to. */
  readonly evidence?: string | undefined
  /** Against the policy; needs an admin and a reason. */
  readonly force?: boolean | undefined
}

export type Comparator =
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'LIKE'
  | 'ILIKE'
  | 'IN'
  | 'NOT IN'
  | 'IS NULL'
  | 'IS NOT NULL'

/** One condition of an MLflow filter; a filter is the conjunction of its clauses. */
export interface Clause {
  readonly entity: 'attribute' | 'tag' | 'metric' | 'param' | 'dataset'
  readonly key: string
  readonly comparator: Comparator
  /** A list for IN and NOT IN, absent for IS [NOT] NULL. */
  readonly value?: string | number | readonly (string | number)[]
}

export interface Order {
  readonly entity: Clause['entity']
  readonly key: string
  readonly ascending: boolean
}

export interface Search {
  readonly clauses: readonly Clause[]
  readonly orderBy: readonly Order[]
  readonly limit: number
  readonly offset: number
}

export interface Found<T> {
  readonly items: readonly T[]
  /** Whether a row lies behind the last one. */
  readonly more: boolean
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
  /** Absent alias: nothing happens and nothing is logged. @throws {PromptNotFound} @throws {Conflict} */
  remove(name: string, alias: string, author: Author & Pick<AliasMove, 'expected'>): Promise<void>
}

/** What aliases say, of many prompts at once and at other times. */
export interface HistoryStore {
  /** Many prompts through an alias chain, as of one `seq`: one reading of the database. */
  resolve(names: readonly string[], chain: readonly string[]): Promise<Resolution>
  /**
   * The same as it was at a time (milliseconds): after the last change that is not later. Names are those of that day.
   * @throws {InvalidInput} for a time before the log's start, when it does not start with the first change
   */
  resolveAt(names: readonly string[], chain: readonly string[], at: number): Promise<PastResolution>
  /**
   * Brings back what an alias said: version, rollout and, where the store was opened for such edits, model config. One or
   * more changes that carry `restores`, that of the alias last. What its policy asks is a role and, if so set, a reason;
   * never new evidence, for it has been in force before. A rollout of then that would serve a version registered or edited
   * since was not: that takes force, whatever the policy, and is a `Conflict` where the policy does not refuse it.
   * @throws {InvalidInput} when the row does not say what this alias was, or says it of an earlier prompt of this name
   * @throws {PromptNotFound} @throws {VersionNotFound} when that version was deleted since @throws {Conflict}
   */
  rollback(rollback: Rollback): Promise<readonly Change[]>
}

export interface Resolution {
  /** Of the last change that it knows. */
  readonly seq: number
  readonly found: readonly { readonly name: string; readonly alias: string; readonly version: ModelVersion }[]
  /** In the order in which they were asked for, each with what there is not. */
  readonly missing: readonly {
    readonly name: string
    readonly code: 'PROMPT_NOT_FOUND' | 'ALIAS_NOT_FOUND'
  }[]
}

export interface PastVersion {
  readonly name: string
  readonly alias: string
  readonly version: number
  readonly digest: string | undefined
  /** Weights as the tag `promptkeep.rollout.<alias>` said them then. */
  readonly rollout: string | undefined
  /** Its content as it was then, also of what was deleted since; `undefined` where it was not kept. */
  readonly content: ModelVersion | undefined
  /** The change that made the alias say this. */
  readonly since: Change
}

export interface PastResolution {
  readonly seq: number
  readonly at: number
  readonly found: readonly PastVersion[]
  readonly missing: Resolution['missing']
}

export interface Rollback extends Author {
  readonly name: string
  readonly alias: string
  /** Row whose state comes back; absent: the state before the last change of the alias. */
  readonly toSeq?: number | undefined
  /** As `AliasMove.expected`. */
  readonly expected?: number | null | undefined
  /** As `AliasMove.requestId`. */
  readonly requestId?: string | undefined
}

export interface ChangeFilter {
  /**
   * Changes under one name. Rows keep the name of their day: those of a prompt from before it was renamed to this name
   * are here too, those from after it was renamed away are under its new name.
   */
  readonly prompt?: string | undefined
  /** Empty or absent: every kind. */
  readonly kinds?: readonly ChangeKind[] | undefined
  readonly alias?: string | undefined
  readonly actor?: string | undefined
  /** First and last `at`, both included. */
  readonly since?: number | undefined
  readonly until?: number | undefined
  /** Only rows with a lower `seq`. */
  readonly before?: number | undefined
  readonly limit: number
}

export interface ChangePage {
  readonly changes: readonly Change[]
  /** Whether there are further ones, from before the last of these. */
  readonly more: boolean
}

/** A change with the version that it speaks of, as the alias look-up answers it now. */
export interface ToldChange {
  readonly change: Change
  /** Of `to`; absent where the kind has none, and where that version or its prompt is gone by now. */
  readonly version?: ModelVersion | undefined
}

/** `at` never decreases along `seq`, also when the clock was set back. */
export interface ChangeStore {
  /** Newest first. */
  list(filter: ChangeFilter): Promise<readonly Change[]>
  /** As `list`, but it ends early, after at least one change, where the texts are longer than four million characters. */
  page(filter: ChangeFilter): Promise<ChangePage>
  /** Changes of all prompts with `seq` above the cursor, oldest first. */
  after(seq: number, limit: number): Promise<readonly Change[]>
  /** As `after`, each with its version. */
  tell(seq: number, limit: number): Promise<readonly ToldChange[]>
  /** How many of each kind have a `seq` above the cursor, and the last `seq` that was counted. */
  countAfter(
    seq: number,
  ): Promise<{ readonly last: number; readonly kinds: Readonly<Record<string, number>> }>
  /** First row that is kept and last row; `first` is `last + 1` where there is none. */
  bounds(): Promise<{ readonly first: number; readonly last: number }>
}

/** A token as it may be shown: never its secret. */
export interface Token {
  /** Part of the token, so that it is found without its secret. */
  readonly id: string
  /** Unique for ever, also among revoked ones: the log names it. */
  readonly name: string
  readonly roles: readonly Role[]
  readonly createdAt: number
  readonly createdBy: string
  readonly expiresAt: number | undefined
  readonly revokedAt: number | undefined
  readonly lastUsedAt: number | undefined
}

export interface TokenStore {
  /** @param draft - `hash` is the lower-case hex of the secret's SHA-256. @throws {RegistryError} `CONFLICT` for a name that was used */
  create(draft: {
    id: string
    name: string
    roles: readonly Role[]
    hash: string
    expiresAt: number | undefined
    createdBy: string
  }): Promise<Token>
  /** With its hash, also when it is revoked or expired. */
  find(id: string): Promise<(Token & { readonly hash: string }) | undefined>
  /** Oldest first. */
  list(): Promise<readonly Token[]>
  /**
   * By id or name; a second time changes nothing. @throws {RegistryError} 404 when there is none
   * @throws {InvalidInput} for the last valid token of an admin, without `evenLastAdmin`
   */
  revoke(idOrName: string, options?: { readonly evenLastAdmin?: boolean }): Promise<Token>
  /** Notes a use; the latest stays. */
  used(id: string, at: number): Promise<void>
  /** Whether one was ever made: from then on nobody is anonymous. */
  any(): Promise<boolean>
}

/** Who may move an alias, of every prompt. Without one: writers, promoters and admins, and no reason is asked for. */
export interface Policy {
  readonly alias: string
  readonly roles: readonly Role[]
  readonly reasonRequired: boolean
  readonly evidenceRequired: boolean
  /** Oldest run that is evidence, in milliseconds since it ended; `undefined`: any age. */
  readonly maxAgeMs: number | undefined
  readonly updatedAt: number
  readonly updatedBy: string
}

/** Who may change what an alias says where no policy speaks of it; no other role may, whatever a policy says. */
export const MOVERS: readonly Role[] = ['writer', 'promoter', 'admin']

export interface PolicyStore {
  /** By alias. */
  list(): Promise<readonly Policy[]>
  get(alias: string): Promise<Policy | undefined>
  set(policy: Omit<Policy, 'updatedAt' | 'updatedBy'>, author: Author): Promise<Policy>
  /** @returns Whether there was one. */
  remove(alias: string, author: Author): Promise<boolean>
}

export interface Experiment {
  /** Decimal; "0" is `Default` and exists from the start. */
  readonly id: string
  readonly name: string
  readonly artifactLocation: string
  readonly stage: 'active' | 'deleted'
  readonly createdAt: number
  readonly updatedAt: number
  readonly tags: Tags
}

export interface ExperimentStore {
  /** @throws {RegistryError} `CONFLICT` as RESOURCE_ALREADY_EXISTS (400) */
  create(draft: { name: string; artifactLocation: string | undefined; tags: Tags }): Promise<Experiment>
  /** Deleted ones too. @throws {RegistryError} 404 RESOURCE_DOES_NOT_EXIST */
  get(id: string): Promise<Experiment>
  getByName(name: string): Promise<Experiment>
  search(
    search: Search & { readonly view: 'ACTIVE_ONLY' | 'DELETED_ONLY' | 'ALL' },
  ): Promise<Found<Experiment>>
}

export type RunStatus = 'RUNNING' | 'SCHEDULED' | 'FINISHED' | 'FAILED' | 'KILLED'

export interface Metric {
  readonly key: string
  /** May be NaN; ±Infinity is stored as ±1.7976931348623157e308, as MLflow does. */
  readonly value: number
  readonly timestamp: number
  readonly step: number
}

export interface Run {
  readonly id: string
  readonly experimentId: string
  readonly name: string
  readonly userId: string
  readonly status: RunStatus
  readonly startTime: number
  readonly endTime: number | undefined
  readonly artifactUri: string
  readonly stage: 'active' | 'deleted'
  /** Latest point of each key: highest (step, timestamp, value). */
  readonly metrics: readonly Metric[]
  readonly params: Tags
  readonly tags: Tags
}

export interface RunData {
  readonly metrics: readonly Metric[]
  readonly params: readonly { readonly key: string; readonly value: string }[]
  readonly tags: readonly { readonly key: string; readonly value: string }[]
}

export interface RunStore {
  create(
    draft: {
      experimentId: string
      name: string
      userId: string
      startTime: number
      tags: Tags
    },
    principal: Principal,
  ): Promise<Run>
  /** @throws {RegistryError} 404 RESOURCE_DOES_NOT_EXIST */
  get(id: string): Promise<Run>
  update(
    id: string,
    change: { status?: RunStatus | undefined; endTime?: number | undefined; name?: string | undefined },
  ): Promise<Run>
  search(
    search: Search & {
      readonly experimentIds: readonly string[]
      readonly view: 'ACTIVE_ONLY' | 'DELETED_ONLY' | 'ALL'
    },
  ): Promise<Found<Run>>
  /**
   * One transaction: a refused param keeps nothing of the batch. Logging one value is a batch of one. Who wrote the tag
   * `promptkeep.verdict` is kept beside it: evidence counts only from an evaluator.
   */
  log(id: string, data: RunData, principal: Principal): Promise<void>
}
