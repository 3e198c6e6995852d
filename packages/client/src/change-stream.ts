import type { Connection } from './connection.ts'
import { RegistryError } from './errors.ts'
import { readEvents } from './event-stream.ts'
import { fetchAside } from './fetch-aside.ts'
import { OWN_ROOT } from './own-wire.ts'
import type { Json, JsonObject } from './prompt.ts'
import { readRecord } from './wire.ts'
import { errorFromWire } from './wire-error.ts'

/** A proxy that keeps events back does not even let the first one through. */
const HELLO_MS = 5_000

/**
 * How long a stream counts as alive after it was heard, by its `hello`: two heartbeats and a moment. Then nobody knows
 * whether it still is.
 */
export const lifeMsOf = ({ heartbeat_ms: heartbeatMs = 15_000 }: JsonObject): number =>
  2 * Number(heartbeatMs) + 1_000

export interface StreamOptions {
  readonly connection: Connection
  readonly fetch: typeof fetch
  /** Ends it. */
  readonly signal: AbortSignal
  /** The open connection does not keep a Node process alive. */
  readonly isAside?: boolean
}

/** One event of the stream of changes. */
export interface StreamSaid {
  readonly event: 'hello' | 'change' | 'heartbeat' | 'reset' | 'end'
  readonly data: JsonObject
  /** What to send as the cursor to go on after this event; of those before a change it is the old one. */
  readonly cursor: string | undefined
  /** How long the stream wishes its readers to wait before they connect again, in milliseconds. */
  readonly retryMs: number | undefined
}

/**
 * One connection to the stream of changes, until it ends, is silent for two heartbeats, or its signal says so.
 * @param cursor - All changes after this one; absent: from now on.
 * @throws {RegistryError} for a refusal; `UNAVAILABLE` when it ends in any other way than by its signal
 */
export async function* openStream(
  { connection, fetch, signal, isAside = false }: StreamOptions,
  cursor: string | undefined,
): AsyncGenerator<StreamSaid> {
  const { address, headers } = connection
  const silence = new AbortController()
  let allowedMs = HELLO_MS
  let timer: ReturnType<typeof setTimeout> | undefined
  const heard = () => {
    clearTimeout(timer)
    timer = setTimeout(() => silence.abort(new Error(`nothing for ${allowedMs} ms`)), allowedMs)
    if (typeof timer === 'object') timer.unref() // the connection, where it is to, keeps a process alive
  }
  heard()
  try {
    const ask = isAside ? fetchAside(fetch) : fetch
    const response = await ask(`${address}${OWN_ROOT}/changes`, {
      headers: {
        accept: 'text/event-stream',
        ...headers,
        ...(cursor !== undefined && { 'last-event-id': cursor }),
      },
      signal: AbortSignal.any([signal, silence.signal]),
    })
    if (!response.ok) throw errorFromWire(response.status, parse(await response.text()), { address })
    if (!response.body || !response.headers.get('content-type')?.startsWith('text/event-stream'))
      throw new RegistryError('INVALID_INPUT', `${address} is an older registry: it has no live changes`)
    for await (const { event, data, id, retryMs } of readEvents(response.body)) {
      const said = parse(data)
      if (event === 'hello') allowedMs = lifeMsOf(said)
      heard()
      yield { event: event as StreamSaid['event'], data: said, cursor: id, retryMs }
    }
    throw new Error('it ended the stream')
  } catch (cause) {
    if (cause instanceof RegistryError || signal.aborted) throw cause
    const why = silence.signal.aborted ? silence.signal.reason : cause
    throw new RegistryError('UNAVAILABLE', `${address} cannot be heard (${(why as Error).message})`, {
      cause,
    })
  } finally {
    clearTimeout(timer)
  }
}

function parse(text: string): JsonObject {
  try {
    return readRecord(JSON.parse(text) as Json, 'event')
  } catch {
    return {}
  }
}
