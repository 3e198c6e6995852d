import { isIP } from 'node:net'
import type { MiddlewareHandler } from 'hono'
import type { Access } from '../auth/access.ts'
import { isLoopback } from '../loopback.ts'

/** A monitor may ask these by any name: they tell nothing. */
const OPEN_PATHS = ['/health', '/version']
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS']

/**
 * A browser must not be a way in. The Host must be a name of this server (else a foreign name was rebound to it), and
 * what changes something must not come from a page of another origin. Texts and codes are MLflow's.
 */
export const hostAndOrigin = ({
  exposed,
  allowedHosts,
  allowedOrigins,
}: Pick<Access, 'exposed' | 'allowedHosts' | 'allowedOrigins'>): MiddlewareHandler => {
  return async function hostAndOrigin(c, next) {
    const host = c.req.header('host') ?? new URL(c.req.url).host
    if (!OPEN_PATHS.includes(c.req.path) && !isNameOfOurs(hostnameOf(`http://${host}`)))
      return c.text(`Invalid Host header - possible DNS rebinding attack detected${exposed ? HINT : ''}`, 403)

    const origin = c.req.header('origin')
    if (origin === undefined) return next()
    const isOurs = isLoopback(hostnameOf(origin)) || allowedOrigins.includes(origin)
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

  function isNameOfOurs(hostname: string | undefined): boolean {
    if (hostname === undefined) return false
    if (isLoopback(hostname) || allowedHosts.includes('*')) return true
    // No name server can point a number elsewhere; a server for this machine alone has no business under one.
    if (exposed && isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0) return true
    return allowedHosts.includes(hostname.toLowerCase())
  }
}

const HINT = '. If the server is meant to have this name, add it to ALLOWED_HOSTS.'

function hostnameOf(url: string): string | undefined {
  try {
    const { protocol, hostname, username, password } = new URL(url)
    const isPlain = username === '' && password === ''
    return isPlain && (protocol === 'http:' || protocol === 'https:') ? hostname : undefined
  } catch {
    return undefined
  }
}
