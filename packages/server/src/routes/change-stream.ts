import type { HttpBindings } from '@hono/node-server'
import { type Logger, RegistryError, refuse } from '@promptkeep/client/protocol'
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
    if (!response || open >= maxStreams) {
      c.header('Retry-After', '5')
      const why = response
        ? `${maxStreams} streams are open, and this server takes no more`
        : 'nobody listens'
      throw new RegistryError('UNAVAILABLE', `The stream cannot be opened: ${why}; try again in 5 s.`, {
        status: 503,
        mlflowCode: 'TEMPORARILY_UNAVAILABLE',
      })
    }
    open++
    onOpen?.()
    const correlationId = c.get('correlationId')
    log.debug({ correlationId, after }, 'stream.opened')
    for (const [name, value] of c.res.headers) response.setHeader(name, value)
    response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-cache, no-transform',
      // nginx would else keep events until its buffer is full.
      'X-Accel-Buffering': 'no',
    })
    response.flushHeaders()
    response.socket?.setNoDelay(true)
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
    return new Response(null, { headers: ALREADY_SENT })
  })
}

const acceptsEvents = (c: Context) =>
  (c.req.header('accept') ?? '').split(',').some((type) => type.split(';')[0]?.trim() === 'text/event-stream')

/** Where the reader goes on: the header that an `EventSource` sends by itself, else the parameter. @throws {InvalidInput} */
function cursorOf(c: Context): number | undefined {
  const header = c.req.header('last-event-id')
  const [name, given] =
    header === undefined || header === '' ? ['after', c.req.query('after')] : ['Last-Event-ID', header]
  if (given === undefined || given === '') return undefined
  return /^\d{1,15}$/.test(given) ? Number(given) : refuse(name, given, 'the id of an event: a whole number')
}
