import type { Logger } from '@promptkeep/client/protocol'
import type { ChangeStore } from '../store/store.ts'
import { eventBytes, toBatch, toFrame } from './frame.ts'
import type { Batch, Frame, Live, Subscriber } from './live.ts'

/** Changes read at once. A version may have 64 KB. */
const PAGE = 32
/** What reconnecting readers find in memory, so that a hiccup of the network costs the database nothing. */
const MEMORY_BYTES = 8 * 1024 * 1024
/** What a reader gets at once: of more it gets the next part once this one is on its way, or each held all of it. */
const PART_BYTES = 256 * 1024
/** Another process may write to the same database, and tells nobody. */
const POLL_MS = 1000

interface Seams {
  readonly changes: Pick<ChangeStore, 'tell' | 'bounds'>
  readonly heartbeatMs: number
  readonly log: Logger
}

/** Live changes of one process: one reader of the log for all who listen. */
export function createLocalLive({ changes, heartbeatMs, log }: Seams): Live {
  const subscribers = new Set<Subscriber>()
  /** The newest changes, without a gap up to `last`. */
  let recent: Frame[] = []
  let recentBytes = 0
  /** `seq` of the last change that was handed out; `undefined` until the log was looked at. */
  let last: number | undefined
  let starting: Promise<void> | undefined
  /** Readers that were cut off together come back together, and ask for the same. */
  const pages = new Map<number, Promise<Batch | undefined>>()
  let isReading = false
  let wasHinted = false
  let isClosed = false

  const poll = setInterval(() => {
    if (subscribers.size === 0) return
    publish()
    bounds().catch(() => {}) // `read` tells of it
  }, POLL_MS).unref()
  const heart = setInterval(() => {
    const seq = last ?? 0
    const bytes = eventBytes('heartbeat', { seq }, seq)
    for (const subscriber of subscribers) subscriber.onBeat(seq, bytes)
  }, heartbeatMs).unref()

  /** Commits of one turn of the event loop are read together. */
  function publish(): void {
    if (wasHinted || isClosed) return
    wasHinted = true
    setImmediate(() => void read())
  }

  async function read(): Promise<void> {
    if (isReading) return
    isReading = true
    try {
      while (wasHinted && !isClosed) {
        wasHinted = false
        await start()
        while (await readPage()) {}
      }
    } catch (error) {
      // The next poll tries again; readers hear the heart beat meanwhile, and lose nothing.
      const message = error instanceof Error ? error.message : String(error)
      log.warn({ err: { message } }, 'live.log_unreadable')
    } finally {
      isReading = false
    }
  }

  /** What was logged before anybody listened is for `page`. */
  function start(): Promise<void> {
    starting ??= changes.bounds().then(
      (bounds) => {
        last = bounds.last
      },
      (error: unknown) => {
        starting = undefined
        throw error
      },
    )
    return starting
  }

  async function readPage(): Promise<boolean> {
    const told = await changes.tell(last ?? 0, PAGE)
    if (told.length === 0 || isClosed) return false
    const frames = told.map(toFrame)
    const batch = toBatch(frames)
    remember(frames)
    last = batch.last
    for (const subscriber of subscribers) subscriber.onBatch(batch)
    return told.length === PAGE
  }

  /** Also finds out that the log is shorter than it was: a failover, or a restored backup. */
  async function bounds(): Promise<{ first: number; last: number }> {
    const before = last // it may grow while the log is asked
    const found = await changes.bounds()
    if (before !== undefined && last !== undefined && found.last < before) {
      last = found.last
      recent = []
      recentBytes = 0
      log.warn({ seq: found.last, before }, 'live.log_set_back')
      for (const subscriber of subscribers) subscriber.onReset(found.first, found.last)
    }
    return found
  }

  /** What is at hand of the changes after a `seq`; `undefined` when those right after it no longer are. */
  function atHand(after: number): readonly Frame[] | undefined {
    if (last === undefined) return undefined
    const oldest = recent[0]?.seq ?? last + 1
    return after < oldest - 1 ? undefined : recent.slice(Math.max(0, after - oldest + 1))
  }

  async function readAfter(after: number): Promise<Batch | undefined> {
    await start()
    const told = await changes.tell(after, PAGE)
    return told.length === 0 ? undefined : toBatch(told.map(toFrame))
  }

  function remember(frames: readonly Frame[]): void {
    for (const frame of frames) {
      recent.push(frame)
      recentBytes += frame.bytes.length
    }
    let gone = 0
    for (; recentBytes > MEMORY_BYTES && gone < recent.length; gone++)
      recentBytes -= recent[gone]?.bytes.length ?? 0
    if (gone > 0) recent = recent.slice(gone)
  }

  return {
    publish,

    subscribe(after, subscriber) {
      if (isClosed) {
        subscriber.onEnd()
        return () => {}
      }
      const missed = atHand(after)
      if (missed === undefined || firstPart(missed).length < missed.length) return undefined
      // From here to the end of this function nothing is handed out: no gap, and nothing twice.
      if (missed.length > 0) subscriber.onBatch(toBatch(missed))
      subscribers.add(subscriber)
      return () => void subscribers.delete(subscriber)
    },

    async page(after) {
      const known = atHand(after)
      if (known?.length) return toBatch(firstPart(known))
      const reading = pages.get(after) ?? readAfter(after).finally(() => pages.delete(after))
      pages.set(after, reading)
      return reading
    },

    bounds,

    close() {
      isClosed = true
      clearInterval(poll)
      clearInterval(heart)
      for (const subscriber of subscribers) subscriber.onEnd()
      subscribers.clear()
      recent = []
    },
  }
}

/** The first frames of some, at least one, of `PART_BYTES` together. */
function firstPart(frames: readonly Frame[]): readonly Frame[] {
  let bytes = 0
  const end = frames.findIndex((frame) => {
    bytes += frame.bytes.length
    return bytes > PART_BYTES
  })
  return end === -1 ? frames : frames.slice(0, Math.max(1, end))
}
