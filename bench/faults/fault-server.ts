import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Protocol, Reply } from './protocols.ts'
import { textOf } from './texts.ts'

/** What is the matter with the service. */
export type Fault =
  | { readonly kind: 'none' /** How long it thinks about each answer. */; readonly delayMs?: number }
  /** Takes the request and never answers. */
  | { readonly kind: 'hang' }
  /** Half of a good answer, then the connection is reset. */
  | { readonly kind: 'reset' }
  /** A good answer, one byte each 100 ms. */
  | { readonly kind: 'drip' }
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterSeconds?: number }
  /** 200, JSON by its type, and no JSON. */
  | { readonly kind: 'garbage' }
  /** 200, JSON, and of another API. */
  | { readonly kind: 'shape' }
  /** There is no such prompt any more, in the service's own words. */
  | { readonly kind: 'gone' }
  /** The prompt is there, and has no text. */
  | { readonly kind: 'empty' }

export interface FaultServer {
  readonly url: string
  /** Requests that arrived, of whatever kind. */
  readonly requests: number
  fault: Fault
  /** The version of all its prompts that the alias points at. */
  version: number
  /** Called once, with the next request. */
  onRequest: (() => void) | undefined
  stop(): Promise<void>
}

/** A service that has every prompt it is asked for, in one client's own protocol, with one fault at a time. */
export async function startFaultServer(protocol: Protocol): Promise<FaultServer> {
  let requests = 0
  const server = createServer(async (request, response) => {
    requests += 1
    const { onRequest } = it
    it.onRequest = undefined
    onRequest?.()
    response.on('error', () => {}) // a client that went away
    const body = await read(request).catch(() => undefined)
    if (body !== undefined) await answer(request, body, response).catch(() => {})
  })
  server.keepAliveTimeout = 60_000

  async function answer(request: IncomingMessage, body: string, response: ServerResponse): Promise<void> {
    const { fault, version } = it
    const asked = {
      method: request.method ?? 'GET',
      url: new URL(request.url ?? '/', 'http://host'),
      body: body === '' ? undefined : JSON.parse(body),
    }
    const name = protocol.nameIn(asked) ?? ''
    const good = protocol.answer(asked, { name, version, text: textUnder(fault, name, version) })
    switch (fault.kind) {
      case 'hang':
        return
      case 'status': {
        const { status, retryAfterSeconds } = fault
        if (retryAfterSeconds !== undefined) response.setHeader('retry-after', String(retryAfterSeconds))
        return send(response, { status, body: { error_code: 'FAULT', message: `fault ${status}` } })
      }
      case 'garbage':
        return send(response, { status: 200, body: undefined }, '{"model_version": {"name": "mem')
      case 'shape':
        return send(response, { status: 200, body: { items: [{ id: 7, label: 'other' }], next: null } })
      case 'reset':
        return reset(response, good)
      case 'drip':
        return drip(response, good)
      case 'none':
        if (fault.delayMs) await pause(fault.delayMs)
        return send(response, good)
      default:
        return send(response, good)
    }
  }

  server.listen(0, '127.0.0.1', 4_096) // a herd of 1,000 connects at once
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const it: FaultServer = {
    url: `http://127.0.0.1:${port}`,
    get requests() {
      return requests
    },
    fault: { kind: 'none' },
    version: 1,
    onRequest: undefined,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return it
}

function textUnder({ kind }: Fault, name: string, version: number): string | undefined {
  if (kind === 'gone') return undefined
  return kind === 'empty' ? '' : textOf(name, version)
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const bytesOf = ({ body }: Reply) => Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))

function start(response: ServerResponse, status: number, length: number): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': length })
}

function send(response: ServerResponse, reply: Reply, raw?: string): void {
  const bytes = raw === undefined ? bytesOf(reply) : Buffer.from(raw)
  start(response, reply.status, bytes.length)
  response.end(bytes)
}

async function reset(response: ServerResponse, reply: Reply): Promise<void> {
  const bytes = bytesOf(reply)
  start(response, reply.status, bytes.length)
  response.write(bytes.subarray(0, bytes.length / 2))
  await pause(20) // else the reset may overtake the half
  response.socket?.resetAndDestroy()
}

async function drip(response: ServerResponse, reply: Reply): Promise<void> {
  const bytes = bytesOf(reply)
  start(response, reply.status, bytes.length)
  for (let at = 0; at < bytes.length && !response.destroyed; at++) {
    response.write(bytes.subarray(at, at + 1))
    await pause(100, undefined, { ref: false })
  }
  response.end()
}
