import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import { checkAlias, checkVersion, checkWeights, fromChange, type Logger } from '@promptkeep/client/protocol'
import { authorOf } from '../author.ts'
import type { ServerEnv } from '../env.ts'
import type { Store } from '../store/store.ts'
import { checkKnownName } from './known-name.ts'
import { logChanges } from './log-changes.ts'
import { anyPromptName, expectedVersion, note, settableAlias } from './own-fields.ts'
import { jsonBody, refuseInvalid } from './own-request.ts'
import { badField, Change, Elsewhere, flag, json, jsonRequest, Refusal, requestId } from './own-schemas.ts'
import { checkNotes } from './stored-text.ts'

const weights = z.record(
  z.string(),
  z.number('a share in percent'),
  'an object of shares in percent by version',
)

const Wanted = z.object(
  {
    name: anyPromptName,
    alias: settableAlias,
    weights: weights.openapi({ minProperties: 1, maxProperties: 20 }),
    expected: expectedVersion.optional(),
    reason: note.optional(),
    evidence: note.optional(),
    force: flag.optional(),
    request_id: requestId.optional(),
  },
  'a JSON object',
)

const setRollout = createRoute({
  method: 'post',
  path: '/rollout',
  summary:
    'Shares an alias among versions by weight, in one transaction: the weights are a tag of the version that the alias ' +
    'points at; where that is none of them, it is pointed at the largest share. The fields are those of `alias`; the same ' +
    '`request_id` again answers the changes that it made. No change where the alias says that already.',
  request: jsonRequest(Wanted),
  responses: {
    200: json(z.object({ changes: z.array(Change) }), 'The logged changes, in their order.'),
    ...badField,
    403: json(Refusal, 'The policy of the alias refuses it; the message names the clause that failed.'),
    404: json(Refusal, 'No such prompt, or one of the versions does not exist.'),
    409: json(Elsewhere, 'The alias is elsewhere: at `current`.'),
  },
})

/** Ours: one call that sets a rollout, changes it, or ends it. */
export function rollout({ aliases, changes }: Pick<Store, 'aliases' | 'changes'>, log: Logger) {
  const app = new OpenAPIHono<ServerEnv>({ defaultHook: refuseInvalid })
  app.use('/rollout', jsonBody)
  return app.openapi(setRollout, async (c) => {
    const given = c.req.valid('json')
    const { name, alias, expected, reason, evidence, force, request_id: requestId } = given
    checkKnownName(name)
    checkAlias(alias)
    const shares = checkWeights(given.weights)
    if (expected !== undefined && expected !== null) checkVersion(expected, 'expected')
    checkNotes({ reason, evidence })
    const author = authorOf(c, { reason, evidence, force })
    const last = requestId === undefined ? 0 : (await changes.bounds()).last
    const made = await aliases.setRollout({ name, alias, weights: shares, expected, requestId, ...author })
    logChanges(c, log, made, last)
    return c.json({ changes: made.map(fromChange) as z.infer<typeof Change>[] }, 200)
  })
}
