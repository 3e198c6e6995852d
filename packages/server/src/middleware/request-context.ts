import type { Logger } from '@promptkeep/client/protocol'
import type { MiddlewareHandler } from 'hono'
import { withoutTokens } from '../auth/token.ts'
import type { ServerEnv } from '../env.ts'
import type { Principal } from '../store/store.ts'

const CORRELATION_ID = 'X-Correlation-Id'
const REQUEST_ID = 'X-Request-Id'
/** What may stand in a log line and a header without harm. */
const WELL_FORMED = /^[A-Za-z0-9._-]{1,128}$/

interface Seams {
  readonly log: Logger
  readonly newId: () => string
  /** Milliseconds that only grow. */
  readonly elapsedMs: () => number
}

/**
 * Gives every request an id of its own and its correlation id (the caller's, or a fresh one where that is missing or
 * malformed), sends both back, and logs one line when it is answered: never a query, a body or a header.
 */
export const requestContext = ({ log, newId, elapsedMs }: Seams): MiddlewareHandler<ServerEnv> =>
  async function requestContext(c, next) {
    const startedMs = elapsedMs()
    const given = c.req.header(CORRELATION_ID)
    const correlationId = given !== undefined && isWellFormed(given) ? given : newId()
    const requestId = newId()
    c.set('correlationId', correlationId)
    c.set('requestId', requestId)
    // Before the answer is made: a header that is set on a finished one makes a copy of it.
    c.header(CORRELATION_ID, correlationId)
    c.header(REQUEST_ID, requestId)
    await next()
    const { method, path } = c.req
    const { status } = c.res
    const principal = c.get('principal') as Principal | undefined // who asks may not have been found out
    const fields = {
      requestId,
      correlationId,
      ...(principal?.tokenId !== undefined && { actor: principal.actor }),
      method,
      path: withoutTokens(path),
      status,
      ms: Math.round(elapsedMs() - startedMs),
    }
    log[isProbe(path) ? 'debug' : 'info'](fields, 'request.completed')
  }

const isWellFormed = (id: string) => WELL_FORMED.test(id) && withoutTokens(id) === id
const isProbe = (path: string) => ['/health', '/ready', '/metrics'].includes(path)
