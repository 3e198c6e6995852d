import type { Logger } from '@promptkeep/client/protocol'
import type { MiddlewareHandler } from 'hono'
import { withoutTokens } from '../auth/token.ts'
import type { ServerEnv } from '../env.ts'

const HEADER = 'X-Correlation-Id'
/** What may stand in a log line and a header without harm. */
const WELL_FORMED = /^[A-Za-z0-9._-]{1,128}$/

interface Seams {
  readonly log: Logger
  readonly newId: () => string
  /** Milliseconds that only grow. */
  readonly elapsedMs: () => number
}

/**
 * Gives every request its correlation id (the caller's, or a fresh one where that is missing or malformed), sends it
 * back, and logs one line when it is answered: never a query, a body or a header.
 */
export const requestContext = ({ log, newId, elapsedMs }: Seams): MiddlewareHandler<ServerEnv> =>
  async function requestContext(c, next) {
    const startedMs = elapsedMs()
    const given = c.req.header(HEADER)
    const correlationId = given !== undefined && isWellFormed(given) ? given : newId()
    c.set('correlationId', correlationId)
    // Before the answer is made: a header that is set on a finished one makes a copy of it.
    c.header(HEADER, correlationId)
    await next()
    const { method, path } = c.req
    const { status } = c.res
    const fields = {
      correlationId,
      method,
      path: withoutTokens(path),
      status,
      ms: Math.round(elapsedMs() - startedMs),
    }
    log[isProbe(path) ? 'debug' : 'info'](fields, 'request.completed')
  }

const isWellFormed = (id: string) => WELL_FORMED.test(id) && withoutTokens(id) === id
const isProbe = (path: string) => path === '/health' || path === '/ready'
