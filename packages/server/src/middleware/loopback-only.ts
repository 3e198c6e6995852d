import type { MiddlewareHandler } from 'hono'
import { isLoopback } from '../loopback.ts'

/** A monitor may ask these by any name: they tell nothing. */
const OPEN_PATHS = ['/health', '/version']
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS']

/**
 * Until there are tokens, whoever reaches the port may do everything. So a browser must not be a way in: the Host must
 * be this machine (else a foreign name was rebound to it), and what changes something must not come from a page of
 * another origin. Texts and codes are MLflow's.
 */
export const loopbackOnly: MiddlewareHandler = async function loopbackOnly(c, next) {
  const host = c.req.header('host') ?? new URL(c.req.url).host
  if (!OPEN_PATHS.includes(c.req.path) && !isLoopback(hostnameOf(`http://${host}`)))
    return c.text('Invalid Host header - possible DNS rebinding attack detected', 403)

  const origin = c.req.header('origin')
  if (origin === undefined) return next()
  const isOurs = isLoopback(hostnameOf(origin))
  if (!isOurs && !SAFE_METHODS.includes(c.req.method)) return c.text('Cross-origin request blocked', 403)
  if (isOurs) {
    c.header('Access-Control-Allow-Origin', origin)
    c.header('Vary', 'Origin')
    if (c.req.method === 'OPTIONS') return preflight(c.req.header('access-control-request-headers'))
  }
  return next()

  function preflight(headers: string | undefined) {
    c.header('Access-Control-Allow-Methods', 'GET, POST, PUT, PATCH, DELETE, OPTIONS')
    c.header('Access-Control-Allow-Headers', headers ?? 'Content-Type, X-Correlation-Id')
    return c.text('OK')
  }
}

function hostnameOf(url: string): string | undefined {
  try {
    const { protocol, hostname } = new URL(url)
    return protocol === 'http:' || protocol === 'https:' ? hostname : undefined
  } catch {
    return undefined
  }
}
