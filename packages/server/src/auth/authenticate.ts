import { type Logger, RegistryError } from '@promptkeep/client/protocol'
import type { Context, MiddlewareHandler } from 'hono'
import type { ServerEnv } from '../env.ts'
import { ANYBODY, type Principal } from '../store/store.ts'
import type { Access } from './access.ts'
import type { Authority } from './authority.ts'
import { addressOf } from './client-address.ts'
import { sentToken } from './credentials.ts'
import { createLockOut } from './lock-out.ts'
import { permissionOf } from './permissions.ts'
import { createRateLimiter } from './rate-limiter.ts'
import { hashSecret, parseToken } from './token.ts'

interface Seams {
  readonly authority: Authority
  readonly access: Pick<Access, 'trustedProxies' | 'perToken' | 'perAddress'>
  readonly log: Logger
  /** Milliseconds that only grow. */
  readonly elapsedMs: () => number
}

/** Who asks a route that is open to all. */
const NOBODY: Principal = { actor: 'anonymous', roles: [] }
/** A limited caller has a burst of as many requests as it may make in this time. */
const BURST_SECONDS = 2

/** The same for no token and for every wrong one: a stranger learns nothing of which tokens there are. */
const NEEDS_TOKEN =
  'This server needs a valid token, as the bearer or the Basic password (with any user name) of the Authorization ' +
  'header. Clients read it from MLFLOW_TRACKING_TOKEN, or from MLFLOW_TRACKING_PASSWORD with ' +
  'MLFLOW_TRACKING_USERNAME. An admin makes one with: promptkeep token create NAME --role reader'

/**
 * Finds out who asks, and refuses who asks too often or guesses. While no token was ever made everybody is `ANYBODY`:
 * such a server listens on loopback only, and limits nobody.
 */
export function authenticate({ authority, access, log, elapsedMs }: Seams): MiddlewareHandler<ServerEnv> {
  const limiter = (perSecond: number, burst = perSecond * BURST_SECONDS) =>
    createRateLimiter({ perSecond, burst, elapsedMs })
  const ofToken = limiter(access.perToken)
  const ofAddress = limiter(access.perAddress)
  const lockOut = createLockOut(elapsedMs)
  // Of refusals, some are told for each address and not too many in all: a flood must not become one of the log.
  const toldOfAddress = limiter(0.1, 5)
  const toldInAll = limiter(5, 50)

  return async function authenticate(c, next) {
    const principal = await whoAsks(c)
    c.set('principal', principal)
    c.set('stillGood', () => authority.stillGood(principal))
    await next()
  }

  async function whoAsks(c: Context<ServerEnv>): Promise<Principal> {
    const permission = permissionOf(c.req.method, c.req.path)
    if (permission === undefined || permission === 'open') return NOBODY
    if (!(await authority.hasTokens())) return ANYBODY
    const address = addressOf(c, access.trustedProxies)
    const refused = (reason: string, more: object = {}) => {
      if (toldOfAddress.take(address) > 0 || toldInAll.take('') > 0) return
      log.warn({ correlationId: c.get('correlationId'), address, reason, ...more }, 'auth.refused')
    }

    const waitMs = ofAddress.take(address)
    if (waitMs > 0) {
      refused('address over its limit')
      throw tooMany(c, waitMs, 'This address makes more requests than RATE_LIMIT_PER_ADDRESS allows')
    }
    const text = sentToken(c.req.header('authorization'))
    if (text === undefined) {
      refused('no token')
      throw unauthenticated(c, NEEDS_TOKEN)
    }
    const requireHeard = () => {
      const lockedMs = lockOut.lockedForMs(address)
      if (lockedMs === 0 || lockOut.hasSucceeded(address, hashSecret(parseToken(text)?.secret ?? text)))
        return
      refused('locked out')
      throw tooMany(c, lockedMs, 'Too many wrong tokens came from this address')
    }
    requireHeard()
    const verdict = await authority.judge(text)
    requireHeard() // else many guesses at once would all be answered
    if (verdict.kind === 'wrong') {
      const lockedOutMs = lockOut.failed(address)
      refused('wrong token')
      if (lockedOutMs > 0) log.warn({ address, seconds: lockedOutMs / 1000 }, 'auth.locked_out')
      throw unauthenticated(c, NEEDS_TOKEN)
    }
    if (verdict.kind !== 'good') {
      const { kind, name, at } = verdict
      refused(`${kind} token`, { token: name })
      const did = kind === 'revoked' ? 'was revoked' : 'expired'
      const when = new Date(at).toISOString()
      throw unauthenticated(c, `The token ${name} ${did} at ${when}; an admin can make another.`)
    }
    const { principal, hash } = verdict
    lockOut.succeeded(address, hash)
    const tokenWaitMs = ofToken.take(principal.tokenId ?? '')
    if (tokenWaitMs > 0) {
      refused('token over its limit', { token: principal.actor })
      const text = `The token ${principal.actor} makes more requests than RATE_LIMIT_PER_TOKEN allows`
      throw tooMany(c, tokenWaitMs, text)
    }
    return principal
  }
}

function unauthenticated(c: Context, message: string): RegistryError {
  c.header('WWW-Authenticate', 'Basic realm="promptkeep"')
  return new RegistryError('UNAUTHENTICATED', message)
}

function tooMany(c: Context, waitMs: number, message: string): RegistryError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000))
  c.header('Retry-After', String(seconds))
  const options = { status: 429, mlflowCode: 'REQUEST_LIMIT_EXCEEDED' }
  return new RegistryError('UNAVAILABLE', `${message}; try again in ${seconds} s.`, options)
}
