import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import { type Logger, ROLES } from '@promptkeep/client/protocol'
import type { Authority } from '../auth/authority.ts'
import { createToken, LONGEST_SECONDS, TOKEN_NAME, tokenNamed } from '../auth/create-token.ts'
import type { ServerEnv } from '../env.ts'
import type { Store, Token } from '../store/store.ts'
import { jsonBody, refuseInvalid } from './own-request.ts'
import { badField, flag, json, jsonRequest, Refusal, text, whole } from './own-schemas.ts'

const TokenShape = z.object({
  id: text,
  name: text,
  roles: z.array(text),
  created_at: whole,
  created_by: text,
  expires_at: whole.optional(),
  revoked_at: whole.optional(),
  last_used_at: whole.optional(),
})
const Draft = z.object(
  {
    name: text.openapi({ pattern: TOKEN_NAME.source }),
    roles: z.array(text.openapi({ enum: [...ROLES] }), 'a list of roles').openapi({ minItems: 1 }),
    expires_in_seconds: whole.optional().openapi({ minimum: 1, maximum: LONGEST_SECONDS }),
  },
  'a JSON object',
)
const Revocation = z.object({ token: text, force: flag.optional() }, 'a JSON object')

const list = createRoute({
  method: 'get',
  path: '/tokens',
  summary: 'Every token that was ever made, oldest first; never a secret.',
  responses: { 200: json(z.object({ tokens: z.array(TokenShape) }), 'The tokens.') },
})
const create = createRoute({
  method: 'post',
  path: '/tokens',
  summary: 'Makes a token; this answer is the only one that shows it.',
  request: jsonRequest(Draft),
  responses: { 200: json(TokenShape.extend({ token: text }), 'The token.'), ...badField },
})
const revoke = createRoute({
  method: 'post',
  path: '/tokens/revoke',
  summary: 'Ends a token, by id or name, for ever; the last valid admin token only with `force`.',
  request: jsonRequest(Revocation),
  responses: {
    200: json(TokenShape, 'The token, revoked now or before.'),
    ...badField,
    404: json(Refusal, 'There is no such token.'),
  },
})

/** Ours: who may speak to the server. */
export function tokens({ tokens: store }: Store, authority: Authority, log: Logger, now: () => number) {
  const app = new OpenAPIHono<ServerEnv>({ defaultHook: refuseInvalid })
  app.use('/tokens/*', jsonBody)
  return app
    .openapi(list, async (c) => c.json({ tokens: (await store.list()).map(toWire) }, 200))
    .openapi(create, async (c) => {
      const { name, roles, expires_in_seconds: expiresInSeconds } = c.req.valid('json')
      const { actor } = c.get('principal')
      const draft = { name, roles, expiresInSeconds }
      const { token, text } = await createToken(store, draft, { createdBy: actor, now: now() })
      authority.forget()
      log.info({ ...about(token), actor, correlationId: c.get('correlationId') }, 'token.created')
      c.header('Cache-Control', 'no-store')
      return c.json({ ...toWire(token), token: text }, 200)
    })
    .openapi(revoke, async (c) => {
      const { token: given, force } = c.req.valid('json')
      const token = await store.revoke(tokenNamed(given), { evenLastAdmin: force === true })
      authority.forget()
      const { actor } = c.get('principal')
      log.info({ ...about(token), actor, correlationId: c.get('correlationId') }, 'token.revoked')
      return c.json(toWire(token), 200)
    })
}

const about = ({ id, name, roles }: Token) => ({ tokenId: id, token: name, roles })

function toWire(token: Token): z.infer<typeof TokenShape> {
  const { id, name, roles, createdAt, createdBy, expiresAt, revokedAt, lastUsedAt } = token
  return {
    id,
    name,
    roles: [...roles],
    created_at: createdAt,
    created_by: createdBy,
    ...(expiresAt !== undefined && { expires_at: expiresAt }),
    ...(revokedAt !== undefined && { revoked_at: revokedAt }),
    ...(lastUsedAt !== undefined && { last_used_at: lastUsedAt }),
  }
}
