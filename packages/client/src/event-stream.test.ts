import { describe, expect, it } from 'vitest'
import { readEvents, type StreamEvent } from './event-stream.ts'

/** The events of a stream that arrives in these pieces. */
async function read(...pieces: readonly (string | Uint8Array)[]): Promise<StreamEvent[]> {
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces)
        controller.enqueue(typeof piece === 'string' ? encoder.encode(piece) : piece)
      controller.close()
    },
  })
  const events: StreamEvent[] = []
  for await (const event of readEvents(body)) events.push(event)
  return events
}

describe('a stream of events', () => {
  it.each([
    {
      rule: 'names, ids and data',
      text: 'id: 7\nevent: change\ndata: {}\n\n',
      want: [['change', '{}', '7']],
    },
    { rule: 'no name is message', text: 'data: a\n\n', want: [['message', 'a', undefined]] },
    { rule: 'lines of data are joined', text: 'data: a\ndata:b\n\n', want: [['message', 'a\nb', undefined]] },
    { rule: 'only the first space goes', text: 'data:  a: b\n\n', want: [['message', ' a: b', undefined]] },
    { rule: 'comments are none', text: ': hi\n\ndata: a\n\n', want: [['message', 'a', undefined]] },
    {
      rule: 'an id stays, a name does not',
      text: 'id: 1\nevent: e\ndata: a\n\ndata: b\n\n',
      want: [
        ['e', 'a', '1'],
        ['message', 'b', '1'],
      ],
    },
    {
      rule: 'an event without data is none',
      text: 'event: e\n\ndata: a\n\n',
      want: [['message', 'a', undefined]],
    },
    { rule: 'what was cut off is none', text: 'data: a\n\ndata: b\n', want: [['message', 'a', undefined]] },
    {
      rule: 'CRLF and CR end lines',
      text: 'data: a\r\n\r\ndata: b\r\rx\n',
      want: [
        ['message', 'a', undefined],
        ['message', 'b', undefined],
      ],
    },
  ])('$rule', async ({ text, want }) => {
    const events = await read(text)
    expect(events.map(({ event, data, id }) => [event, data, id])).toEqual(want)
  })

  it('is the same however it is cut into pieces', async () => {
    const bytes = new TextEncoder().encode('id: 1\r\nevent: change\r\ndata: süß 🎈\r\n\r\nid: 2\ndata: b\n\n')
    const whole = await read(bytes)
    expect(whole).toHaveLength(2)
    expect(whole[0]?.data).toBe('süß 🎈')
    for (let i = 1; i < bytes.length; i++)
      expect(await read(bytes.slice(0, i), bytes.slice(i)), `cut at ${i}`).toEqual(whole)
    expect(await read(...[...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(whole)
  })

  it('says how long to wait before the next connection', async () => {
    expect(await read('retry: 1000\ndata: a\n\nretry: soon\ndata: b\n\n')).toMatchObject([
      { retryMs: 1000 },
      { retryMs: 1000 },
    ])
  })
})
