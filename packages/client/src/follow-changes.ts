import type { Connection } from './connection.ts'
import { sleep } from './deadline.ts'
import { isOutage, RegistryError } from './errors.ts'
import { readEvents, type StreamEvent } from './event-stream.ts'
import { OWN_ROOT, toChange } from './own-wire.ts'
import type { Json, JsonObject } from './prompt.ts'
import type { Change } from './transport.ts'
import { readRecord } from './wire.ts'
import { errorFromWire } from './wire-error.ts'

/** What a follower of the log hears. */
export type LogEvent =
  | { readonly kind: 'change'; readonly change: Change }
  /** Rows between the cursor and `last` cannot be told any more: whoever keeps a state asks for it anew. */
  | { readonly kind: 'reset'; readonly last: number; readonly reason: string }
  /** The connection is lost and is being made anew, or is there again; nothing is missed. */
  | { readonly kind: 'lost'; readonly error: RegistryError }
  | { readonly kind: 'connected' }

const FIRST_BACKOFF_MS = 500
const MAX_BACKOFF_MS = 10_000
/** Until the server has said how often its heart beats. */
const SILENCE_MS = 30_000

export interface FollowOptions {
  readonly connection: Connection
  readonly fetch: typeof fetch
  /** 0 ≤ n < 1 */
  readonly random: () => number
  /** Ends it. */
  readonly signal: AbortSignal
  /** All changes after this `seq`; default: from now on. */
  readonly after?: number | undefined
}

/**
 * The change log as it is written. It connects again by itself and goes on after the last change that it told, so
 * none is missed and none told twice. @throws {RegistryError} when the first connection fails, and for a refusal
 */
export async function* followChanges(options: FollowOptions): AsyncGenerator<LogEvent> {
  const { random, signal } = options
  let cursor = options.after === undefined ? undefined : String(options.after)
  let wasConnected = false
  let failures = 0
  let firstMs = FIRST_BACKOFF_MS
  while (!signal.aborted) {
    try {
      for await (const { event, data, id, retryMs } of connect(options, cursor)) {
        firstMs = retryMs ?? firstMs
        const said = parse(data)
        if (event === 'hello') {
          wasConnected = true
          failures = 0
          cursor ??= String(said.seq)
          yield { kind: 'connected' }
        }
        if (event === 'change') yield { kind: 'change', change: toChange(said.change) }
        if (event === 'reset') yield { kind: 'reset', last: Number(said.last), reason: String(said.reason) }
        cursor = id ?? cursor // after it was told: who stops in between hears it again, not never
      }
    } catch (error) {
      if (signal.aborted) return
      if (!wasConnected || !isOutage(error)) throw error
      if (failures === 0) yield { kind: 'lost', error: error as RegistryError }
    }
    const backoffMs = Math.min(MAX_BACKOFF_MS, firstMs * 2 ** failures++) * (0.5 + random())
    await sleep(backoffMs, signal).catch(() => {})
  }
}

/** One connection, until it ends or is silent for too long. @throws {RegistryError} */
async function* connect(
  { connection, fetch, signal }: FollowOptions,
  cursor: string | undefined,
): AsyncGenerator<StreamEvent> {
  const { address, headers } = connection
  const silence = new AbortController()
  let allowedMs = SILENCE_MS
  let timer: ReturnType<typeof setTimeout> | undefined
  const heard = () => {
    clearTimeout(timer)
    timer = setTimeout(() => silence.abort(new Error(`nothing for ${allowedMs} ms`)), allowedMs)
  }
  heard()
  try {
    const response = await fetch(`${address}${OWN_ROOT}/changes`, {
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
    for await (const event of readEvents(response.body)) {
      if (event.event === 'hello')
        allowedMs = 2 * Number(parse(event.data).heartbeat_ms ?? SILENCE_MS / 2) + 1000
      heard()
      yield event
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
