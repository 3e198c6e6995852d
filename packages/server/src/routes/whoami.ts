import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import type { Authority } from '../auth/authority.ts'
import type { ServerEnv } from '../env.ts'
import { json, text } from './own-schemas.ts'

const WhoAmI = z.object({ actor: text, roles: z.array(text), tokens: z.boolean() })

const whoAmI = createRoute({
  method: 'get',
  path: '/whoami',
  summary:
    'Who the server takes the caller for, what that one may, and whether the server has tokens at all.',
  responses: { 200: json(WhoAmI, 'The caller, as the log of changes would name it.') },
})

/** Ours: whether a token works, and for what. */
export const whoami = (authority: Authority) =>
  new OpenAPIHono<ServerEnv>().openapi(whoAmI, async (c) => {
    const { actor, roles } = c.get('principal')
    return c.json({ actor, roles: [...roles], tokens: await authority.hasTokens() }, 200)
  })
