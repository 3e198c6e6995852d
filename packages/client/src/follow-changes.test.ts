import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAdmin, type LogEvent } from './admin.ts'
import { fromChange } from './own-wire.ts'
import type { Change } from './transport.ts'

/** One connection of the stream, as the server sees it. */
interface Stream {
  /** `Last-Event-ID` of the request. */
  readonly after: string | undefined
  send(text: string): void
  end(): void
}

/** A server that plays what a test says on each connection of the stream. */
async function serve(play: (stream: Stream, connection: number) => void, { heartbeatMs = 60_000 } = {}) {
  let connections = 0
  const server = createServer((request, response: ServerResponse) => {
    if (request.url?.endsWith('/capabilities')) {
      const body = { server: 'promptkeep', version: '1', seed: true, compare_and_set: true, history: true }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      return
    }
    const after = request.headers['last-event-id']
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(
      `retry: 10\nevent: hello\ndata: ${JSON.stringify({ seq: 5, heartbeat_ms: heartbeatMs })}\n\n`,
    )
    play(
      {
        after: typeof after === 'string' ? after : undefined,
        send: (text) => void response.write(text),
        end: () => response.destroy(),
      },
      ++connections,
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const trackingUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return createAdmin({ trackingUri, env: {}, random: () => 0 })
}

const change = (seq: number): Change => ({
  seq,
  kind: 'alias.moved',
  prompt: 'memory',
  alias: 'production',
  to: seq,
  at: seq,
})
const frame = (seq: number) =>
  `id: ${seq}\nevent: change\ndata: ${JSON.stringify({ change: fromChange(change(seq)) })}\n\n`

/** Reads until `count` events came, then ends. */
async function take(
  follow: (signal: AbortSignal) => AsyncGenerator<LogEvent>,
  count: number,
): Promise<LogEvent[]> {
  const stopping = new AbortController()
  const events: LogEvent[] = []
  for await (const event of follow(stopping.signal)) {
    events.push(event)
    if (events.length === count) stopping.abort()
  }
  return events
}

describe('following the log', () => {
  it('tells each change as it comes, and ends when it is told to', async () => {
    const admin = await serve(({ send }) => send(frame(6) + frame(7)))
    expect(await take((signal) => admin.follow({ signal, after: 5 }), 3)).toEqual([
      { kind: 'connected' },
      { kind: 'change', change: change(6) },
      { kind: 'change', change: change(7) },
    ])
  })

  it('goes on after the last change that it told, however often the stream is cut', async () => {
    const asked: (string | undefined)[] = []
    const admin = await serve(({ after, send, end }) => {
      asked.push(after)
      send(frame(Number(after) + 1) + frame(Number(after) + 2).slice(0, 20)) // the second never arrives whole
      setTimeout(end, 5)
    })
    const events = await take((signal) => admin.follow({ signal, after: 5 }), 11)
    expect(events.flatMap((event) => (event.kind === 'change' ? [event.change.seq] : []))).toEqual([
      6, 7, 8, 9,
    ])
    expect(events.filter(({ kind }) => kind === 'lost')).toHaveLength(3)
    expect(asked).toEqual(['5', '6', '7', '8'])
  })

  it('from now on is from what the log holds when it is first heard', async () => {
    const asked: (string | undefined)[] = []
    const admin = await serve(({ after, end }) => {
      asked.push(after)
      setTimeout(end, 5)
    })
    await take((signal) => admin.follow({ signal }), 3)
    expect(asked.slice(0, 2)).toEqual([undefined, '5'])
  })

  it('a silent connection is given up and made anew', async () => {
    let connections = 0
    const admin = await serve(() => void connections++, { heartbeatMs: 10 })
    const events = await take((signal) => admin.follow({ signal }), 3)
    expect(events.map(({ kind }) => kind)).toEqual(['connected', 'lost', 'connected'])
    expect(connections).toBe(2)
  })

  it('tells when rows are gone', async () => {
    const data = JSON.stringify({ first: 90, last: 95, reason: 'the log starts at 90' })
    const admin = await serve(({ send }) => send(`id: 95\nevent: reset\ndata: ${data}\n\n${frame(96)}`))
    expect(await take((signal) => admin.follow({ signal, after: 5 }), 3)).toMatchObject([
      { kind: 'connected' },
      { kind: 'reset', last: 95, reason: 'the log starts at 90' },
      { kind: 'change', change: { seq: 96 } },
    ])
  })

  it('a first connection that fails is an error', async () => {
    const admin = createAdmin({ trackingUri: 'http://127.0.0.1:9', env: {}, random: () => 0 })
    await expect(take((signal) => admin.follow({ signal }), 1)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})
