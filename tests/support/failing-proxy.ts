import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FailingProxy {
  readonly url: string
  /** Requests that came in since the last `failFrom`, as `METHOD path`. */
  readonly seen: readonly string[]
  /**
   * The nth request (from 0) and all after it find nobody; before it all are passed on. `answer: 'lost'`: the nth is
   * passed on, and its answer is what gets lost.
   */
  failFrom(nth: number, answer?: 'lost'): void
  stop(): Promise<void>
}

/** A proxy on a free port before a server that goes away at a request of the test's choice. */
export async function startFailingProxy(target: string): Promise<FailingProxy> {
  const seen: string[] = []
  let nth = Number.POSITIVE_INFINITY
  let isLost = false
  const server = createServer((incoming, outgoing) => {
    outgoing.shouldKeepAlive = false
    const index = seen.push(`${incoming.method} ${incoming.url?.split('?')[0]}`) - 1
    const loses = isLost && index === nth
    if (index >= nth && !loses) return void incoming.socket.destroy()
    const url = new URL(incoming.url ?? '/', target)
    const passed = request(
      url,
      { method: incoming.method, headers: { ...incoming.headers, host: url.host }, agent: false },
      (answer) => {
        if (loses) {
          answer.resume()
          answer.on('end', () => incoming.socket.destroy())
          return
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      },
    )
    passed.on('error', () => incoming.socket.destroy())
    incoming.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    failFrom(next, answer) {
      seen.length = 0
      nth = next
      isLost = answer === 'lost'
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
