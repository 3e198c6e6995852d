import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { completion, completionChunks } from './chat-completion.ts'

/** The parts of a chat completion request that an answer is chosen by; settings and unknown keys are kept. */
export interface ChatRequest {
  readonly model: string
  readonly messages: readonly ChatRequestMessage[]
  readonly tools?: readonly ChatTool[]
  readonly stream?: boolean
  readonly [setting: string]: unknown
}

export interface ChatRequestMessage {
  readonly role: string
  readonly content?: unknown
  readonly tool_calls?: readonly {
    readonly function: { readonly name: string; readonly arguments: string }
  }[]
  readonly tool_call_id?: string
}

export interface ChatTool {
  readonly type: string
  readonly function: {
    readonly name: string
    readonly parameters?: {
      readonly properties?: Readonly<Record<string, unknown>>
      readonly required?: readonly string[]
    }
  }
}

/** What the endpoint received, exactly. */
export interface RecordedRequest {
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The body's own bytes as text: what "byte-identical" compares. */
  readonly text: string
  readonly body: ChatRequest
}

/** An answer, or a fault to test with. */
export type ModelReply =
  | { readonly content: string; readonly pauseMs?: number }
  | { readonly toolCalls: readonly { readonly name: string; readonly arguments: object }[] }
  | { readonly status: number; readonly message: string }
  /** Takes the request and never answers. */
  | { readonly hang: true }

export type Respond = (request: RecordedRequest) => ModelReply | Promise<ModelReply>

export interface ModelEndpoint {
  /** The base URL for an OpenAI client, with `/v1`. */
  readonly url: string
  /** In order of arrival. Empty unless recording was asked for. */
  readonly requests: readonly RecordedRequest[]
  close(): Promise<void>
}

export interface ModelEndpointOptions {
  readonly respond: Respond
  /** Default 0: any free port. */
  readonly port?: number
  /** Keeps every request, prompts and user text included: for tests. Default false. */
  readonly record?: boolean
}

const MAX_BODY_BYTES = 4 * 1024 * 1024

/**
 * The one OpenAI-compatible endpoint of this repository: `POST /v1/chat/completions`, streamed or whole, with tool
 * calls, on loopback. With rules it is the demo model, with a script it is the model of the tests.
 */
export async function startModelEndpoint(options: ModelEndpointOptions): Promise<ModelEndpoint> {
  const requests: RecordedRequest[] = []
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else sendError(response, 500, error instanceof Error ? error.message : String(error))
    })
  })

  async function handle(request: IncomingMessage, response: ServerResponse) {
    const path = request.url ?? '/'
    if (request.method !== 'POST' || path !== '/v1/chat/completions') {
      request.resume()
      return sendError(response, 404, `No such route: ${request.method} ${path}`)
    }
    const text = await readBody(request)
    if (text === undefined) return sendError(response, 413, `The body is over ${MAX_BODY_BYTES} bytes`)
    const body = parseRequest(text)
    if (!body) return sendError(response, 400, 'The body must be JSON with "model" and a list of "messages"')
    const recorded = { path, headers: request.headers, text, body }
    if (options.record) requests.push(recorded)
    await send(response, body, await options.respond(recorded))
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections() // an answer that hangs on purpose would hold it open
      }),
  }
}

async function send(response: ServerResponse, body: ChatRequest, reply: ModelReply): Promise<void> {
  if ('hang' in reply) return
  if ('status' in reply) return sendError(response, reply.status, reply.message)
  if (!body.stream) return sendJson(response, 200, completion(body, reply))
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
  const pauseMs = 'pauseMs' in reply ? reply.pauseMs : undefined
  for (const chunk of completionChunks(body, reply)) {
    if (response.destroyed) return
    response.write(`data: ${JSON.stringify(chunk)}\n\n`)
    if (pauseMs) await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  response.end('data: [DONE]\n\n')
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseRequest(text: string): ChatRequest | undefined {
  try {
    const body = JSON.parse(text) as Partial<ChatRequest> | null
    return typeof body?.model === 'string' && Array.isArray(body.messages) ? (body as ChatRequest) : undefined
  } catch {
    return undefined
  }
}

const sendError = (response: ServerResponse, status: number, message: string) =>
  sendJson(response, status, { error: { message, type: 'model_endpoint_error', param: null, code: null } })

function sendJson(response: ServerResponse, status: number, value: unknown) {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value))
}
