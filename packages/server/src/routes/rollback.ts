import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import { checkAlias, checkVersion, fromChange, type Logger, refuse } from '@promptkeep/client/protocol'
import { authorOf } from '../author.ts'
import type { ServerEnv } from '../env.ts'
import type { ChangeStore, Store } from '../store/store.ts'
import { checkKnownName } from './known-name.ts'
import { logChanges } from './log-changes.ts'
import { anyPromptName, expectedVersion, saidNote, settableAlias } from './own-fields.ts'
import { jsonBody, refuseInvalid } from './own-request.ts'
import { badField, Change, Elsewhere, flag, json, jsonRequest, Refusal, requestId } from './own-schemas.ts'
import { checkNotes } from './stored-text.ts'

const seqForm = 'the number of a change: a whole number of at least 1'

const Wanted = z.object(
  {
    name: anyPromptName,
    alias: settableAlias.optional(),
    to_seq: z.int(seqForm).min(1, seqForm).optional(),
    reason: saidNote,
    expected: expectedVersion.optional(),
    force: flag.optional(),
    request_id: requestId.optional(),
  },
  'a JSON object',
)

const rollbackAlias = createRoute({
  method: 'post',
  path: '/rollback',
  summary:
    'Brings back what an alias said right after a change (`to_seq`), or before its last change: version, rollout and, ' +
    'where config edits are allowed, the model config. It is logged as changes of its own. The same `request_id` again ' +
    'answers the changes that it made.',
  request: jsonRequest(Wanted),
  responses: {
    200: json(z.object({ changes: z.array(Change) }), 'The logged changes; that of the alias last.'),
    ...badField,
    404: json(Refusal, 'There is no such prompt, or that version was deleted since.'),
    409: json(
      Elsewhere,
      'The alias is elsewhere than expected, or nothing would change; it is at `current`.',
    ),
  },
})

/** Ours: one call that undoes. */
export function rollback({ history, changes }: Store, log: Logger) {
  const app = new OpenAPIHono<ServerEnv>({ defaultHook: refuseInvalid })
  app.use('/rollback', jsonBody)
  return app.openapi(rollbackAlias, async (c) => {
    const {
      name,
      to_seq: toSeq,
      reason,
      expected,
      force,
      request_id: requestId,
      ...given
    } = c.req.valid('json')
    checkKnownName(name)
    if (given.alias !== undefined) checkAlias(given.alias)
    if (expected !== undefined && expected !== null) checkVersion(expected, 'expected')
    checkNotes({ reason })
    if (reason.trim() === '') refuse('reason', reason, 'a text that says why')
    const alias = given.alias ?? (await aliasOf(changes, toSeq)) ?? 'production'
    const author = authorOf(c, { reason, force })
    const last = requestId === undefined ? 0 : (await changes.bounds()).last
    const made = await history.rollback({ name, alias, toSeq, expected, requestId, ...author })
    logChanges(c, log, made, last)
    return c.json({ changes: made.map(fromChange) as z.infer<typeof Change>[] }, 200)
  })
}

/** The alias that a row of the log speaks of. */
async function aliasOf(changes: ChangeStore, seq: number | undefined): Promise<string | undefined> {
  if (seq === undefined) return undefined
  const [row] = await changes.after(seq - 1, 1)
  return row?.seq === seq ? row.alias : undefined
}
