import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import { checkAlias, InvalidInput, type Logger, ROLES, type Role, refuse } from '@promptkeep/client/protocol'
import { authorOf } from '../author.ts'
import type { ServerEnv } from '../env.ts'
import { MOVERS, type Policy, type Store } from '../store/store.ts'
import { settableAlias } from './own-fields.ts'
import { jsonBody, refuseInvalid } from './own-request.ts'
import { badField, flag, json, jsonRequest, text, whole } from './own-schemas.ts'

const MAX_AGE_SECONDS = 2_147_483_647
const ageLimits = `a whole number of seconds from 1 to ${MAX_AGE_SECONDS}`

const PolicyShape = z.object({
  alias: text,
  roles: z.array(text),
  reason_required: z.boolean(),
  evidence_required: z.boolean(),
  max_age_seconds: whole.optional(),
  updated_at: whole,
  updated_by: text,
})
const Draft = z.object(
  {
    alias: settableAlias,
    roles: z
      .array(text.openapi({ enum: [...MOVERS] }), 'a list of roles')
      .optional()
      .openapi({ minItems: 1 }),
    reason_required: flag.optional(),
    evidence_required: flag.optional(),
    max_age_seconds: z.int(ageLimits).min(1, ageLimits).max(MAX_AGE_SECONDS, ageLimits).optional(),
  },
  'a JSON object',
)
const Removal = z.object({ alias: settableAlias }, 'a JSON object')

const list = createRoute({
  method: 'get',
  path: '/policies',
  summary: 'The policies of aliases, by alias.',
  responses: { 200: json(z.object({ policies: z.array(PolicyShape) }), 'The policies.') },
})
const set = createRoute({
  method: 'post',
  path: '/policies',
  summary:
    'Says who may change what an alias says, of every prompt, and what a move needs. It takes the place of the whole ' +
    'policy before: a field that is left out is as without a policy.',
  request: jsonRequest(Draft),
  responses: {
    200: json(z.object({ policy: PolicyShape }), 'The policy, in force from now on.'),
    ...badField,
  },
})
const remove = createRoute({
  method: 'post',
  path: '/policies/remove',
  summary: 'Removes the policy of an alias; writers, promoters and admins may move it then.',
  request: jsonRequest(Removal),
  responses: { 200: json(z.object({ removed: z.boolean() }), 'Whether there was one.'), ...badField },
})

/** Ours: who may move which alias, and what a move needs. */
export function policies({ policies: store }: Store, log: Logger) {
  const app = new OpenAPIHono<ServerEnv>({ defaultHook: refuseInvalid })
  app.use('/policies/*', jsonBody)
  return app
    .openapi(list, async (c) => c.json({ policies: (await store.list()).map(toWire) }, 200))
    .openapi(set, async (c) => {
      const policy = await store.set(readPolicy(c.req.valid('json')), authorOf(c))
      const { updatedAt: _at, updatedBy: actor, ...changed } = policy
      log.info({ ...changed, actor, correlationId: c.get('correlationId') }, 'policy.changed')
      return c.json({ policy: toWire(policy) }, 200)
    })
    .openapi(remove, async (c) => {
      const { alias } = c.req.valid('json')
      checkAlias(alias)
      const removed = await store.remove(alias, authorOf(c))
      const { actor } = c.get('principal')
      if (removed)
        log.info({ alias, removed, actor, correlationId: c.get('correlationId') }, 'policy.changed')
      return c.json({ removed }, 200)
    })
}

/** @throws {InvalidInput} */
function readPolicy(given: z.infer<typeof Draft>): Omit<Policy, 'updatedAt' | 'updatedBy'> {
  const { alias, roles = MOVERS, max_age_seconds: maxAge } = given
  const { reason_required: reasonRequired = false, evidence_required: evidenceRequired = false } = given
  checkAlias(alias)
  if (roles.length === 0) refuse('roles', roles, `at least one of ${MOVERS.join(', ')}`)
  for (const [index, role] of roles.entries())
    if (!MOVERS.includes(role as Role))
      refuse(`roles[${index}]`, role, `one of ${MOVERS.join(', ')}: no other role may move an alias`)
  if (maxAge !== undefined && !evidenceRequired)
    throw new InvalidInput(
      `max_age_seconds is the age of evidence, so it needs evidence_required to be true; got ${maxAge} without it`,
    )
  return {
    alias,
    roles: ROLES.filter((role) => roles.includes(role)),
    reasonRequired,
    evidenceRequired,
    maxAgeMs: maxAge === undefined ? undefined : maxAge * 1000,
  }
}

const toWire = (policy: Policy): z.infer<typeof PolicyShape> => ({
  alias: policy.alias,
  roles: [...policy.roles],
  reason_required: policy.reasonRequired,
  evidence_required: policy.evidenceRequired,
  ...(policy.maxAgeMs !== undefined && { max_age_seconds: policy.maxAgeMs / 1000 }),
  updated_at: policy.updatedAt,
  updated_by: policy.updatedBy,
})
