import { get, type IncomingMessage } from 'node:http'
import { createParser } from 'eventsource-parser'

/*
 * Many plain readers of the change stream in one process: `sse-reader.ts <url> <readers>`. Each parses every event
 * whole, text of the prompt included, and comes back with Last-Event-ID when it is cut. Asked by its parent it says
 * when each reader had parsed each change.
 */

export type Said =
  | { readonly kind: 'ready' }
  | { readonly kind: 'heard'; readonly seq: number }
  | {
      readonly kind: 'times'
      readonly seq: number
      readonly times: readonly number[]
      readonly characters: number
    }

const [url = '', count = '1'] = process.argv.slice(2)
const readers = Number(count)
const say = (said: Said) => process.send?.(said)
const now = () => performance.timeOrigin + performance.now()

/** By `seq`: when each reader had it. */
const heard = new Map<number, { times: number[]; characters: number }>()
let greeted = 0

function read(response: IncomingMessage, onId: (id: string) => void): void {
  const parser = createParser({
    onEvent({ event, id, data }) {
      if (id !== undefined) onId(id)
      if (event === 'hello' && ++greeted === readers) say({ kind: 'ready' })
      if (event !== 'change') return
      const { change, model_version: version } = JSON.parse(data) as {
        change: { seq: number }
        model_version?: { tags: { key: string; value: string }[] }
      }
      const text = version?.tags.find(({ key }) => key === 'mlflow.prompt.text')?.value ?? ''
      const known = heard.get(change.seq) ?? { times: [], characters: text.length }
      heard.set(change.seq, known)
      known.times.push(now())
      if (known.times.length === readers) say({ kind: 'heard', seq: change.seq })
    },
  })
  response.setEncoding('utf8').on('data', (text: string) => parser.feed(text))
}

function connect(lastEventId?: string): void {
  let id = lastEventId
  const request = get(`${url}/api/promptkeep/1.0/changes`, {
    agent: false,
    headers: { accept: 'text/event-stream', ...(id !== undefined && { 'last-event-id': id }) },
  })
  request.once('response', (response) =>
    read(response, (seen) => {
      id = seen
    }),
  )
  request.once('error', () => {})
  request.once('close', () => setTimeout(connect, 100, id))
}

process.on('message', (seq: number) => {
  const { times = [], characters = 0 } = heard.get(seq) ?? {}
  say({ kind: 'times', seq, times, characters })
})
process.once('disconnect', () => process.exit())
// Not all at once: a listening socket's queue is short.
for (let opened = 0; opened < readers; opened += 50)
  setTimeout(() => {
    for (let index = opened; index < Math.min(opened + 50, readers); index++) connect()
  }, opened / 5)
