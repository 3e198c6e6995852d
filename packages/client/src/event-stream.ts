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
  let rest = ''
  let id: string | undefined
  let retryMs: number | undefined
  let event = ''
  let data: string[] = []
  for await (const text of decode(body)) {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/) // a last \r may be the half of \r\n
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { event: event || 'message', data: data.join('\n'), id, retryMs }
        event = ''
        data = []
        continue
      }
      const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
      if (field === 'event') event = value
      if (field === 'data') data.push(value)
      if (field === 'id' && !value.includes('\0')) id = value
      if (field === 'retry' && /^\d+$/.test(value)) retryMs = Number(value)
    }
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
