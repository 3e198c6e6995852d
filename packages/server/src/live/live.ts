/** One change as it goes over the wire: made once, sent to everybody. */
export interface Frame {
  readonly seq: number
  readonly bytes: Uint8Array
}

/** Frames that follow each other without a gap, and all of them in one piece. */
export interface Batch {
  readonly first: number
  readonly last: number
  readonly bytes: Uint8Array
  readonly frames: readonly Frame[]
}

export interface Subscriber {
  /** Every change once and in order; called right after one another, it must not throw and should not wait. */
  onBatch(batch: Batch): void
  /** The log ends before what was handed out: its database was set back. What comes next comes after `last`. */
  onReset(first: number, last: number): void
  /** At every beat of the one heart: the last change that was handed out, and the event that says so. */
  onBeat(last: number, bytes: Uint8Array): void
  /** The server stops: nothing comes any more. */
  onEnd(): void
}

/**
 * Where changes go once they are committed, and who listens. `publish` is a hint without content: what is handed out
 * is always read from the log, in the order of `seq`, so that a hint that is lost or comes twice loses and repeats
 * nothing. One process has `local.ts`; many processes on one database need only another source of hints.
 */
export interface Live {
  /** The log may have grown. Cheap; may be called for nothing. */
  publish(): void
  /**
   * Changes after a `seq` that the log knows. A reader that is further behind must catch up with `page` first.
   * @returns The end of it, or `undefined` when there is more to tell than fits at once, or it is no longer in memory.
   */
  subscribe(after: number, subscriber: Subscriber): (() => void) | undefined
  /** Some changes after a `seq`, from memory or from the log, as many as are sent at once; `undefined` where there is none. @throws when the database does not answer */
  page(after: number): Promise<Batch | undefined>
  /** First and last row of the log. */
  bounds(): Promise<{ readonly first: number; readonly last: number }>
  /** Ends all subscriptions and takes no new ones. */
  close(): void
}
