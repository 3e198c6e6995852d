import { createMutex } from './mutex.ts'
import type { Result, SqliteConnection } from './sqlite.ts'

/** A write transaction that has its turn; either end gives the turn to the next one. */
export interface WriteTransaction {
  run(sql: string, parameters: readonly unknown[]): Result
  /** @returns when it is on the disk @throws what kept its group from being committed; nothing of it is kept then */
  commit(): Promise<void>
  /** Undoes this transaction alone. @returns when what it read is known to be true @throws as `commit` */
  rollback(): Promise<void>
}

export interface GroupCommit {
  /** Waits for its turn. @throws {SqlError} `UNAVAILABLE` when another process holds the database too long */
  begin(): Promise<WriteTransaction>
  /** Runs `work` outside any transaction, when it is its turn and nothing is left uncommitted. */
  alone<T>(work: () => T): Promise<T>
}

export interface GroupOptions {
  /** How long a lock that another connection holds is waited for. Default 5000. */
  readonly busyTimeoutMs?: number
  /** Transactions of one group. Default 64. */
  readonly members?: number
  /** Characters and bytes that one group's statements were given. Default 4 million. */
  readonly size?: number
}

/**
 * Write transactions of one connection, which take turns. Making one durable costs more than the rest of it together,
 * so those that are ready at the same time share it: each runs in a savepoint of its own inside one SQLite
 * transaction, and none is told that it is committed before all are.
 *
 * Nobody waits for company: a group is what came in the same round of the event loop, and everything that came
 * while the group before it was written comes in the next one.
 *
 * What one of them read may be another's that is not committed yet; so a transaction that fails is told, too, only
 * when the others are on the disk: its reason may be their doing.
 */
export function createGroupCommit(
  connection: SqliteConnection,
  { busyTimeoutMs = 5000, members: maxMembers = 64, size: maxSize = 4_000_000 }: GroupOptions = {},
): GroupCommit {
  const turns = createMutex()
  let open: Group | undefined

  /** Between two tries others may go on: reads, and whoever holds the lock if that is in this process, too. */
  async function openGroup(): Promise<Group> {
    const pauseMs = 10
    for (let waitedMs = 0; ; waitedMs += pauseMs) {
      const busy = connection.begin()
      if (!busy) return { waiting: [], size: 0, failure: undefined, ends: false }
      if (waitedMs >= busyTimeoutMs) throw busy
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  /** The group as it is at the end of this round of the event loop, and of the turns that were asked for by then. */
  function settleSoon(group: Group): void {
    if (group.ends) return
    group.ends = true
    setImmediate(() =>
      turns.run(() => {
        if (open === group) settle(group)
      }),
    )
  }

  function settle(group: Group): void {
    open = undefined
    try {
      connection.run('commit')
    } catch (error) {
      fail(group, error)
      return
    }
    for (const { resolve } of group.waiting) resolve()
  }

  /** Nothing of the group is kept. */
  function fail(group: Group, error: unknown): void {
    group.failure = { error }
    if (open === group) open = undefined
    // It must not stay open for the next one. A full disk has ended it by itself.
    if (connection.inTransaction) connection.run('rollback')
    for (const { reject } of group.waiting) reject(error)
  }

  const outcomeOf = (group: Group) =>
    new Promise<void>((resolve, reject) => {
      group.waiting.push({ resolve, reject })
      if (group.waiting.length >= maxMembers || group.size >= maxSize) settle(group)
      else settleSoon(group)
    })

  async function begin(): Promise<WriteTransaction> {
    const release = await turns.acquire()
    try {
      // A group that is open stays so meanwhile: only who has the turn ends it.
      open ??= await openGroup()
    } catch (error) {
      release()
      throw error
    }
    const group = open
    try {
      connection.run('savepoint one')
    } catch (error) {
      fail(group, error)
      release()
      throw error
    }
    return transaction(group, release)
  }

  function transaction(group: Group, release: () => void): WriteTransaction {
    let ended = false

    return {
      run(sql, parameters) {
        // Outside a transaction each statement would be kept for itself.
        if (group.failure) throw group.failure.error
        group.size += sizeOf(parameters)
        try {
          return connection.run(sql, parameters)
        } catch (error) {
          // Some errors end the whole transaction, and with it what the others wrote.
          if (!connection.inTransaction) fail(group, error)
          throw error
        }
      },

      async commit() {
        ended = true
        try {
          if (group.failure) throw group.failure.error
          runOrFail('release one')
          return outcomeOf(group)
        } finally {
          release()
        }
      },

      async rollback() {
        // After a failed commit Kysely rolls back once more; by then the turn may be somebody else's.
        if (ended) return
        ended = true
        try {
          // The reason is the one that the caller has.
          if (group.failure) return
          if (group.waiting.length === 0) {
            open = undefined
            connection.run('rollback')
            return
          }
          runOrFail('rollback to one')
          runOrFail('release one')
          return outcomeOf(group)
        } finally {
          release()
        }
      },
    }

    function runOrFail(sql: string): void {
      try {
        connection.run(sql)
      } catch (error) {
        fail(group, error)
        throw error
      }
    }
  }

  return {
    begin,
    alone: (work) =>
      turns.run(() => {
        if (open) settle(open)
        return work()
      }),
  }
}

/** What is between one `begin` and its `commit`. */
interface Group {
  readonly waiting: { resolve(): void; reject(error: unknown): void }[]
  size: number
  /** Why nothing of it was kept. */
  failure: { readonly error: unknown } | undefined
  /** Whether its end was asked for. */
  ends: boolean
}

function sizeOf(parameters: readonly unknown[]): number {
  let size = 0
  for (const value of parameters)
    if (typeof value === 'string') size += value.length
    else if (value instanceof Uint8Array) size += value.byteLength
  return size
}
