import type { Change, ChangeKind } from '@promptkeep/client/protocol'
import type { Author } from './access-port.ts'
import type { ModelVersion } from './store.ts'

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
