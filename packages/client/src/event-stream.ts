import { createParser } from 'eventsource-parser'

/** One event of a `text/event-stream`, as HTML's standard defines it. */
export interface StreamEvent {
  /** `message` when the server does not say. */
  readonly event: string
  readonly data: string
  /** The last one that the stream gave so far, also when this event has none. */
  readonly id: string | undefined
  /** How long to wait before connecting again, in milliseconds, as the stream said last. */
  readonly retryMs: number | undefined
}

/** Reads events until the stream ends; an event that was not finished by then is dropped, as the standard says. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  const read: StreamEvent[] = []
  let id: string | undefined
  let retryMs: number | undefined
  const parser = createParser({
    onEvent({ event = 'message', data, id: own }) {
      id = own ?? id
      read.push({ event, data, id, retryMs })
    },
    onRetry(ms) {
      retryMs = ms
    },
  })
  for await (const text of decode(body)) {
    parser.feed(text)
    yield* read.splice(0)
  }
}

async function* decode(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield decoder.decode(value, { stream: true })
    }
  } finally {
    await reader.cancel().catch(() => {}) // who stops reading half-way leaves no open connection
  }
}
