import type { HttpBindings } from '@hono/node-server'
import { InvalidInput, type Logger, RegistryError, refuse } from '@promptkeep/client/protocol'
import { type Context, Hono } from 'hono'
import type { ServerEnv } from '../env.ts'
import type { Live } from '../live/live.ts'
import { type EndReason, streamChanges } from '../live/stream.ts'

export interface ChangeStreamDeps {
  readonly live: Live
  readonly log: Logger
  readonly heartbeatMs: number
  /** Open at once; one more is 503. */
  readonly maxStreams: number
  /** Hears of every stream that begins and ends, for the metrics. */
  readonly onOpen?: () => void
  readonly onClose?: (reason: EndReason) => void
}

/** How @hono/node-server knows that the response was written to directly. */
const ALREADY_SENT = { 'x-hono-already-sent': 'true' }

/** Ours: `GET changes` for who accepts an event stream; everybody else gets the list (`changes.ts`). */
export function changeStream(deps: ChangeStreamDeps) {
  const { live, log, heartbeatMs, maxStreams, onOpen, onClose } = deps
  let open = 0

  return new Hono<ServerEnv>().get('/changes', async (c, next) => {
    if (c.req.method !== 'GET' || !acceptsEvents(c)) return next()
    const after = cursorOf(c)
    const response = (c.env as Partial<HttpBindings> | undefined)?.outgoing
    // A request that took too long to get here was answered already.
    if (response?.headersSent || response?.destroyed) return alreadySent()
    // One that was sent behind another on one connection would wait for its turn for ever, and never hear of the end.
    if (response?.socket === null)
      throw new InvalidInput('A stream needs a connection of its own; this one has requests before it.')
    if (!response || open >= maxStreams)
      throw full(c, response ? `${maxStreams} streams are open` : 'nobody listens')
    const correlationId = c.get('correlationId')
    for (const [name, value] of c.res.headers) response.setHeader(name, value)
    response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-cache, no-transform',
      // nginx would else keep events until its buffer is full.
      'X-Accel-Buffering': 'no',
    })
    response.flushHeaders()
    response.socket?.setNoDelay(true)
    // Nothing fails from here on: each stream that is counted ends.
    open++
    onOpen?.()
    log.debug({ correlationId, after }, 'stream.opened')
    void streamChanges({
      live,
      response,
      after,
      heartbeatMs,
      stillGood: c.get('stillGood'),
      onEnd(reason, last) {
        open--
        onClose?.(reason)
        log.debug({ correlationId, reason, seq: last }, 'stream.closed')
      },
    })
    return alreadySent()
  })
}

const alreadySent = () => new Response(null, { headers: ALREADY_SENT })

function full(c: Context, why: string): RegistryError {
  c.header('Retry-After', '5')
  const text = `The stream cannot be opened: ${why}; try again in 5 s.`
  return new RegistryError('UNAVAILABLE', text, { status: 503, mlflowCode: 'TEMPORARILY_UNAVAILABLE' })
}

const acceptsEvents = (c: Context) =>
  (c.req.header('accept') ?? '').split(',').some((range) => {
    const [type, ...parameters] = range.split(';').map((part) => part.trim())
    return type === 'text/event-stream' && !parameters.some((parameter) => /^q=0(\.0*)?$/i.test(parameter))
  })

/** Where the reader goes on: the header that an `EventSource` sends by itself, else the parameter. @throws {InvalidInput} */
function cursorOf(c: Context): number | undefined {
  const header = c.req.header('last-event-id')
  const [name, given] =
    header === undefined || header === '' ? ['after', c.req.query('after')] : ['Last-Event-ID', header]
  if (given === undefined || given === '') return undefined
  return /^\d{1,15}$/.test(given) ? Number(given) : refuse(name, given, 'the id of an event: a whole number')
}
