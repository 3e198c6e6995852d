import type { Admitted } from './admission.ts'
import type { Found } from './loader-port.ts'
import type { Logger } from './log.ts'
import type { PromptVersion } from './prompt.ts'
import type { Key } from './question.ts'
import type { Snapshot, SnapshotEntry, SnapshotStore } from './snapshot-port.ts'
import type { Timers } from './timers.ts'

/** What was good when the registry was last heard, also by an earlier process. */
export interface LastGood {
  /** Of a chain: the first that is known. Waits a moment at most for a slow disk; never rejects. */
  find(keys: readonly Key[]): Promise<Found | undefined>
  /** The registry said this; `undefined`: that there is no such thing. */
  heard(key: Key, version: PromptVersion | undefined): void
  /** Writes what is not written yet; never rejects. */
  flush(): Promise<void>
}

/** Changes come in flocks: one file for all of them. */
const WRITE_AFTER_MS = 1_000
/** A disk that hangs must not hold up a load that a registry that hangs already held up. */
const LONGEST_READ_MS = 250
/** Nor one that takes nothing the end of a program. */
const LONGEST_FLUSH_MS = 2_000

/** No app has so many; a program that loads names without end must not keep them all. */
const MOST_ENTRIES = 10_000

export interface SnapshotKeeperOptions {
  readonly store: SnapshotStore
  /** Of the registry: a snapshot of another is none. */
  readonly address: string
  readonly workspace: string
  readonly admit: (version: PromptVersion) => Promise<Admitted>
  readonly timers: Timers
  readonly logger: Logger
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Decides when the last good values are read and written; where they are kept is the store's. */
export function createSnapshotKeeper(options: SnapshotKeeperOptions): LastGood {
  const { store, address, workspace, admit, timers, logger, now } = options
  const entries = new Map<string, SnapshotEntry>()
  /** Said by this process: newer than what the file says. */
  const heardHere = new Set<string>()
  let isDirty = false
  let isFailing = false
  let writing = Promise.resolve()
  const reading = store.read(logger).then(take, () => {})
  const readOrLate = withinMs(reading, LONGEST_READ_MS)

  function take(snapshot: Snapshot | undefined): void {
    if (!snapshot) return
    const { where } = store
    if (snapshot.address !== address || snapshot.workspace !== workspace) {
      const reason = `it is of ${snapshot.address}${snapshot.workspace && ` (workspace ${snapshot.workspace})`}`
      logger.warn({ where, reason }, 'snapshot.ignored')
      return
    }
    for (const entry of snapshot.entries) {
      const id = idOf(entry.version.name, entry.alias)
      if (!heardHere.has(id)) entries.set(id, entry)
    }
  }

  function entryFor({ name, alias, version }: Key): SnapshotEntry | undefined {
    if (alias !== undefined) return entries.get(idOf(name, alias))
    return [...entries.values()].find(
      (entry) => entry.version.name === name && entry.version.version === version,
    )
  }

  async function write(): Promise<void> {
    if (!isDirty) return
    await reading // what an earlier process knew of other prompts stays
    isDirty = false
    try {
      await store.write({ address, workspace, savedAt: now(), entries: [...entries.values()] })
      isFailing = false
    } catch (error) {
      // Once: a disk that takes nothing takes nothing of the next change, too.
      logger[isFailing ? 'debug' : 'warn']({ where: store.where, err: error }, 'snapshot.not_written')
      isFailing = true
    }
  }

  const flush = () => {
    writing = writing.then(write)
    return withinMs(writing, LONGEST_FLUSH_MS)
  }

  return {
    async find(keys) {
      await readOrLate
      for (const key of keys) {
        const entry = entryFor(key)
        if (!entry) continue
        try {
          const { body } = await admit(entry.version)
          return { body, source: 'snapshot', alias: key.alias, confirmedAt: entry.confirmedAt }
        } catch {
          entries.delete(idOf(key.name, entry.alias)) // no text, or none that this program can read
        }
      }
      return undefined
    },
    heard({ name, alias }, version) {
      if (alias === undefined) return
      const id = idOf(name, alias)
      heardHere.add(id)
      const known = entries.get(id)?.version
      entries.delete(id)
      if (version) entries.set(id, { alias, version, confirmedAt: now() }) // last: the oldest goes first
      const [oldest] = entries.keys()
      if (entries.size > MOST_ENTRIES && oldest !== undefined) entries.delete(oldest)
      if (known?.version === version?.version && known?.digest === version?.digest) return
      isDirty = true
      timers.after('snapshot', WRITE_AFTER_MS, () => void flush())
    },
    flush,
  }
}

/** Ends no later than that, and keeps no process alive for it. */
function withinMs(work: Promise<void>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    void work.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

const idOf = (name: string, alias: string) => `${name}@${alias}`
