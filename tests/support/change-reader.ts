import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import type { Change } from '@promptkeep/client/protocol'
import { createParser } from 'eventsource-parser'

/** An event of the stream, parsed. */
export interface StreamEvent {
  readonly event: string
  readonly id: string | undefined
  readonly data: {
    readonly change?: Change
    readonly model_version?: {
      readonly version: string
      readonly tags: readonly { key: string; value: string }[]
    }
    readonly seq?: number
    readonly first?: number
    readonly last?: number
    readonly reason?: string
    readonly heartbeat_ms?: number
  }
}

export interface ChangeReader {
  /** In the order in which they came, over all connections. */
  readonly events: readonly StreamEvent[]
  /** `seq` of the changes among them. */
  seqs(): number[]
  /** Resolves once the condition holds; asked after each event. Rejects when the reader gave up. */
  until(condition: () => boolean): Promise<void>
  /** Cuts the connection, as a network does. It comes back by itself. */
  cut(): void
  /** Connections that were made so far. */
  connections(): number
  stop(): void
}

export interface ReaderOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** First cursor; default: from now on. */
  readonly after?: number
  /** Where the server is; asked at each connection, for one that comes back elsewhere. */
  readonly url: () => string
}

/** A plain reader of server-sent events, as a browser's `EventSource` is one: it comes back with `Last-Event-ID`. */
export function readChanges({ url, after, headers = {} }: ReaderOptions): ChangeReader {
  const events: StreamEvent[] = []
  const waiting = new Set<() => void>()
  let lastEventId = after === undefined ? undefined : String(after)
  let request: ClientRequest | undefined
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let made = 0
  const changed = () => {
    for (const look of waiting) look()
  }

  function connect(): void {
    if (stopped) return
    made++
    const cursor = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
    request = get(`${url()}/api/promptkeep/1.0/changes`, {
      headers: { accept: 'text/event-stream', ...cursor, ...headers },
      agent: false,
    })
    request.once('response', read)
    request.once('error', () => {}) // 'close' follows
    request.once('close', () => {
      if (!stopped) timer = setTimeout(connect, 10)
    })
  }

  function read(response: IncomingMessage): void {
    if (response.statusCode !== 200) {
      events.push({ event: 'refused', id: undefined, data: { seq: response.statusCode ?? 0 } })
      response.resume()
      changed()
      return
    }
    const parser = createParser({
      onEvent({ event = 'message', id, data }) {
        lastEventId = id ?? lastEventId
        events.push({ event, id, data: JSON.parse(data) })
        changed()
      },
    })
    response.setEncoding('utf8').on('data', (text: string) => parser.feed(text))
    response.once('error', () => {})
  }

  connect()
  return {
    events,
    seqs: () => events.flatMap(({ data }) => (data.change?.seq === undefined ? [] : [data.change.seq])),
    until: (condition) =>
      new Promise((resolve) => {
        const look = () => {
          if (!condition()) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
    cut: () => void request?.destroy(),
    connections: () => made,
    stop() {
      stopped = true
      clearTimeout(timer)
      request?.destroy()
    },
  }
}
