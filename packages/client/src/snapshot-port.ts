import type { Logger } from './log.ts'
import type { PromptVersion } from './prompt.ts'

/** What one alias said when the registry was last heard. */
export interface SnapshotEntry {
  readonly alias: string
  readonly version: PromptVersion
  /** Milliseconds since the epoch. */
  readonly confirmedAt: number
}

/** The last known good values of one registry. Holds texts, and no credentials. */
export interface Snapshot {
  /** Where they come from, without credentials. A snapshot of another place is not used. */
  readonly address: string
  /** The workspace, "" for the default one. */
  readonly workspace: string
  /** Milliseconds since the epoch. */
  readonly savedAt: number
  readonly entries: readonly SnapshotEntry[]
}

/** Where last known good values outlive the process. `@promptkeep/client/snapshot` has one in a file. */
export interface SnapshotStore {
  /** For messages: a path, say. */
  readonly where: string
  /** `undefined` when there is none, and (with a WARN `snapshot.ignored`) when it cannot be used; never rejects. */
  read(logger: Logger): Promise<Snapshot | undefined>
  /** All or nothing: who reads meanwhile gets the old one. @throws what the disk said */
  write(snapshot: Snapshot): Promise<void>
}
