/** What is done to the cache one after another, and how far in the log it is. */
export interface Turns {
  /** The last change that the cache knows, where the registry has a log. */
  readonly seq: number | undefined
  /** The log is heard from here on, or again from another place. */
  begin(seq: number): void
  /** Does the work of one change, after all that came before. */
  take(seq: number | undefined, work: () => Promise<void>): Promise<void>
  /**
   * Does what speaks of the registry as it was at `seq` at the one moment when the cache is as far: earlier it would be
   * undone by older changes, later it would undo newer ones.
   * @returns whether it was done; not when the cache is further already, or does not come so far in time
   */
  at(seq: number, work: () => Promise<void>): Promise<boolean>
}

interface Waiter {
  readonly seq: number
  readonly work: () => Promise<void>
  readonly end: (isDone: boolean | Promise<never>) => void
}

/** A change that is in the registry's answer is on its way here. */
const LONGEST_WAIT_MS = 5_000

/** @param later - Runs something after so many milliseconds. */
export function createTurns(later: (ms: number, work: () => void) => void): Turns {
  let seq: number | undefined
  let last: Promise<unknown> = Promise.resolve()
  const waiting = new Set<Waiter>()

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = last.then(work)
    last = mine.catch(() => {})
    return mine
  }

  async function wake(): Promise<void> {
    for (const waiter of waiting) {
      if (waiter.seq > (seq ?? 0)) continue
      waiting.delete(waiter)
      const isDone = waiter.seq === seq
      try {
        if (isDone) await waiter.work()
        waiter.end(isDone)
      } catch (error) {
        waiter.end(Promise.reject(error)) // it is the waiter's, and nobody else's
      }
    }
  }

  return {
    get seq() {
      return seq
    },
    begin(from) {
      seq = from
    },
    take: (of, work) =>
      inTurn(async () => {
        await work()
        seq = of ?? seq
        await wake()
      }),
    at: (of, work) =>
      new Promise<boolean>((end) => {
        const waiter = { seq: of, work, end }
        waiting.add(waiter)
        void inTurn(wake)
        later(LONGEST_WAIT_MS, () => {
          if (waiting.delete(waiter)) end(false)
        })
      }),
  }
}
