import type { ServerResponse } from 'node:http'
import { eventBytes, toBatch } from './frame.ts'
import type { Batch, Live } from './live.ts'

/** What a reader may leave unread before it is cut off: it comes back with its cursor. */
const MAX_UNREAD_BYTES = 1024 * 1024
/** How long a reader that catches up may take for one page. */
const MAX_PAGE_MS = 30_000
/** How long a reader may take for the end of its stream. */
const LAST_WORDS_MS = 2_000
/** Before a reader that was cut off comes back. */
const RETRY_MS = 1000
const RETRY = new TextEncoder().encode(`retry: ${RETRY_MS}\n`)

export type EndReason =
  | 'reader left'
  | 'reader is slow'
  | 'server stops'
  | 'token is no longer valid'
  | 'failed'

export interface StreamOptions {
  readonly live: Live
  readonly response: ServerResponse
  /** All changes after it; `undefined`: from now on. */
  readonly after: number | undefined
  readonly heartbeatMs: number
  /** Whether who listens still may: asked at every beat. */
  readonly stillGood: () => Promise<boolean>
  readonly onEnd: (reason: EndReason, last: number) => void
}

/**
 * Sends changes as server-sent events until the reader leaves, falls behind, may no longer, or the server stops. It writes to Node's own
 * response: a web stream in between costs each of ten thousand readers some 20 KB, and hides how much is unread.
 */
export async function streamChanges(options: StreamOptions): Promise<void> {
  const { live, response, after, heartbeatMs, stillGood, onEnd } = options
  let unsubscribe: (() => void) | undefined
  let ended = false
  let cursor = 0

  function end(reason: EndReason, lastWords?: Uint8Array): void {
    if (ended) return
    ended = true
    unsubscribe?.()
    if (lastWords === undefined) response.destroy()
    else {
      response.end(lastWords)
      // Who never reads never hears them.
      setTimeout(() => response.destroy(), LAST_WORDS_MS).unref()
    }
    onEnd(reason, cursor)
  }
  response.once('close', () => end('reader left'))
  response.on('error', () => end('reader left'))

  function send(bytes: Uint8Array): void {
    if (ended) return
    // What is unread from before: a reader is not slow because there is much to tell at once.
    if (response.writableLength > MAX_UNREAD_BYTES) end('reader is slow')
    else response.write(bytes)
  }

  const subscriber = {
    onBatch(batch: Batch) {
      // The reader may know more than the process's own reading has come to.
      const fresh = batch.first > cursor ? batch.frames : batch.frames.filter(({ seq }) => seq > cursor)
      if (fresh.length === 0) return
      cursor = batch.last
      send(fresh === batch.frames ? batch.bytes : toBatch(fresh).bytes)
    },
    onReset(first: number, last: number) {
      const reason = outOfRange(cursor, first, last)
      if (reason === undefined) return
      cursor = last
      send(eventBytes('reset', { first, last, reason }, last))
    },
    onBeat(last: number, bytes: Uint8Array) {
      if (last >= cursor) send(bytes)
      stillGood().then(
        (good) => good || end('token is no longer valid', eventBytes('end', { reason: 'token' })),
        () => {}, // the database is away: that is no reason to send anybody away
      )
    },
    onEnd: () => end('server stops', eventBytes('end', { reason: 'server stops' })),
  }

  /** Until all that was sent is on its way. */
  async function drained(): Promise<void> {
    if (!response.writableNeedDrain || ended) return
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        response.off('drain', done).off('close', done)
        resolve()
      }
      const timer = setTimeout(() => {
        end('reader is slow')
        done()
      }, MAX_PAGE_MS)
      response.once('drain', done).once('close', done)
    })
  }

  try {
    const { first, last } = await live.bounds()
    cursor = after ?? last
    const reset = outOfRange(cursor, first, last)
    if (reset !== undefined) cursor = last
    send(RETRY)
    send(eventBytes('hello', { seq: last, heartbeat_ms: heartbeatMs }))
    if (reset !== undefined) send(eventBytes('reset', { first, last, reason: reset }, last))
    while (!ended) {
      unsubscribe = live.subscribe(cursor, subscriber)
      if (unsubscribe) break
      const page = await live.page(cursor)
      if (page) subscriber.onBatch(page)
      await drained()
    }
    // It left while the subscription was made.
    if (ended) unsubscribe?.()
  } catch {
    end('failed')
  }
}

/** Why a cursor cannot be gone on from. */
function outOfRange(cursor: number, first: number, last: number): string | undefined {
  if (cursor < first - 1)
    return `the log starts with change ${first}: what was between ${cursor} and it cannot be told any more`
  if (cursor > last)
    return `the log ends with change ${last}, and you have seen ${cursor}: its database is another, or an older one that was restored`
  return undefined
}
