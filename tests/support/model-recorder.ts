import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface RecordedCall {
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
}

export interface ModelRecorder {
  /** Without a path. */
  readonly url: string
  /** What real SDKs sent, in order. */
  readonly calls: readonly RecordedCall[]
  close(): Promise<void>
}

/**
 * Stands in for OpenAI (chat completions, responses) and Anthropic (messages) on loopback: takes any request, answers
 * `text` in the protocol that was asked in, and keeps what was sent.
 */
export async function startModelRecorder(text = 'Done.'): Promise<ModelRecorder> {
  const calls: RecordedCall[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const path = request.url ?? '/'
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as RecordedCall['body']
    calls.push({ path, body })
    const answer = ANSWERS[path]
    response.writeHead(answer ? 200 : 404, { 'Content-Type': 'application/json' })
    response.end(
      JSON.stringify(answer?.(String(body.model), text) ?? { error: { message: `no ${path} here` } }),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const ANSWERS: Readonly<Record<string, (model: string, text: string) => object>> = {
  '/v1/chat/completions': (model, text) => ({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 0,
    model,
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  }),
  '/v1/responses': (model, text) => ({
    id: 'resp_1',
    object: 'response',
    created_at: 0,
    model,
    status: 'completed',
    output: [
      {
        type: 'message',
        id: 'msg_1',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text, annotations: [] }],
      },
    ],
    usage: {
      input_tokens: 1,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 1,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 2,
    },
  }),
  '/v1/messages': (model, text) => ({
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model,
    content: [{ type: 'text', text }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 1 },
  }),
}
