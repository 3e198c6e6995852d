import { RegistryError } from '@promptkeep/client/protocol'
import type { MiddlewareHandler } from 'hono'
import type { ServerEnv } from '../env.ts'
import { ANYBODY, type Principal } from '../store/store.ts'
import type { Authority } from './authority.ts'
import { sentToken } from './credentials.ts'
import { permissionOf } from './permissions.ts'

/** Who asks a route that is open to all. */
const NOBODY: Principal = { actor: 'anonymous', roles: [] }

/** The same for no token and for every wrong one: a stranger learns nothing of which tokens there are. */
const NEEDS_TOKEN =
  'This server needs a valid token, as the bearer or the Basic password (with any user name) of the Authorization ' +
  'header. Clients read it from MLFLOW_TRACKING_TOKEN, or from MLFLOW_TRACKING_PASSWORD with ' +
  'MLFLOW_TRACKING_USERNAME. An admin makes one with: promptkeep token create NAME --role reader'

/** Finds out who asks. While no token was ever made everybody is `ANYBODY`: such a server listens on loopback only. */
export const authenticate = (authority: Authority): MiddlewareHandler<ServerEnv> =>
  async function authenticate(c, next) {
    c.set('principal', await whoAsks())
    await next()

    async function whoAsks(): Promise<Principal> {
      const permission = permissionOf(c.req.method, c.req.path)
      if (permission === undefined || permission === 'open') return NOBODY
      if (!(await authority.hasTokens())) return ANYBODY
      const text = sentToken(c.req.header('authorization'))
      if (text === undefined) return refuse(NEEDS_TOKEN)
      const verdict = await authority.judge(text)
      if (verdict.kind === 'good') return verdict.principal
      if (verdict.kind === 'wrong') return refuse(NEEDS_TOKEN)
      const when = new Date(verdict.at).toISOString()
      return refuse(
        verdict.kind === 'revoked'
          ? `The token ${verdict.name} was revoked at ${when}; an admin can make another.`
          : `The token ${verdict.name} expired at ${when}; an admin can make another.`,
      )
    }

    function refuse(message: string): never {
      c.header('WWW-Authenticate', 'Basic realm="promptkeep"')
      throw new RegistryError('UNAUTHENTICATED', message)
    }
  }
