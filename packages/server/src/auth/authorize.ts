import { RegistryError } from '@promptkeep/client/protocol'
import type { MiddlewareHandler } from 'hono'
import type { ServerEnv } from '../env.ts'
import { MAY, may, permissionOf } from './permissions.ts'

/**
 * Lets a request through to its handler, and to the reading of its body, only when one of its roles may. What has no
 * row in the table of permissions is not reached at all, be it a route or not.
 */
export const authorize: MiddlewareHandler<ServerEnv> = async function authorize(c, next) {
  const { method, path } = c.req
  const permission = permissionOf(method, path)
  if (permission === undefined) return c.notFound()
  const { actor, roles } = c.get('principal')
  if (permission === 'open' || may(roles, permission)) return next()
  throw new RegistryError(
    'FORBIDDEN',
    `${method} ${path} needs the role ${listOf(MAY[permission])}; ` +
      `the token ${actor} has ${roles.length === 1 ? 'the role' : 'the roles'} ${roles.join(', ')}.`,
  )
}

const listOf = (names: readonly string[]) =>
  names.length === 1 ? names[0] : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
