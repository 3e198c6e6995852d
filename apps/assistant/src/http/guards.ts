import type { Logger } from '@promptkeep/client'
import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HttpProblem } from './problem.ts'

/** What the guards leave for the routes. */
export interface Env {
  readonly Variables: { correlationId: string; userId: string }
}

export const CORRELATION_HEADER = 'X-Correlation-Id'
export const USER_HEADER = 'X-User-Id'

const MAX_BODY_BYTES = 1024 * 1024
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS']

/** The caller's correlation id, or a fresh one for a missing or malformed one; sent back, and one log line a request. */
export const requestContext = ({
  log,
  newId,
}: {
  log: Logger
  newId: () => string
}): MiddlewareHandler<Env> =>
  async function requestContext(c, next) {
    const given = c.req.header(CORRELATION_HEADER) ?? ''
    const correlationId = /^[A-Za-z0-9._-]{1,128}$/.test(given) ? given : newId()
    c.set('correlationId', correlationId)
    await next()
    c.header(CORRELATION_HEADER, correlationId)
    const { method, path } = c.req
    log[isProbe(path) ? 'debug' : 'info'](
      { correlationId, method, path, status: c.res.status },
      'request.answered',
    )
  }

/** Nothing is sniffed or framed, and the page runs its own files only: text is never markup. */
export const safeHeaders: MiddlewareHandler = async function safeHeaders(c, next) {
  await next()
  c.header('X-Content-Type-Options', 'nosniff')
  c.header('X-Frame-Options', 'DENY')
  c.header('Referrer-Policy', 'no-referrer')
  c.header('Content-Security-Policy', CONTENT_SECURITY_POLICY)
}

const CONTENT_SECURITY_POLICY = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join('; ')

/**
 * There is no log-in yet, so a browser must not be a way in: the Host must be this machine (else a foreign name was
 * rebound to it), and what changes something must not come from any other page than our own.
 */
export const loopbackOnly: MiddlewareHandler = async function loopbackOnly(c, next) {
  const host = c.req.header('host') ?? ''
  if (!isLoopback(hostnameOf(`http://${host}`))) {
    throw new HttpProblem(403, 'Host must be localhost, 127.0.0.1 or [::1]')
  }
  const origin = c.req.header('origin')
  if (origin !== undefined && !SAFE_METHODS.includes(c.req.method) && origin !== `http://${host}`) {
    throw new HttpProblem(403, `Origin must be http://${host}: other pages may not change anything here`)
  }
  await next()
}

export const limitBody = bodyLimit({
  maxSize: MAX_BODY_BYTES,
  onError(c) {
    // what is left of the body would be read only to keep the connection
    c.header('Connection', 'close')
    throw new HttpProblem(413, `The body may have at most ${MAX_BODY_BYTES} bytes`)
  },
})

/** Who asks, on loopback and until there is a log-in: the header, else `local`. */
export const identify: MiddlewareHandler<Env> = async function identify(c, next) {
  const userId = c.req.header(USER_HEADER) ?? 'local'
  if (!/^[A-Za-z0-9._@-]{1,128}$/.test(userId)) {
    throw new HttpProblem(400, `${USER_HEADER} must be 1 to 128 letters, digits or any of . _ @ -`)
  }
  c.set('userId', userId)
  await next()
}

const isProbe = (path: string) => path === '/health' || path === '/ready'
const isLoopback = (hostname: string | undefined) => hostname !== undefined && LOOPBACK.test(hostname)
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined
}
