import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import { CHANGE_KINDS, type ChangeKind, checkText, fromChange, refuse } from '@promptkeep/client/protocol'
import type { ServerEnv } from '../env.ts'
import type { Store } from '../store/store.ts'
import { checkKnownName } from './known-name.ts'
import { aliasName } from './mlflow/rules.ts'
import { anyAlias, anyPromptName, kindsWithCommas, plainText } from './own-fields.ts'
import { refuseInvalid } from './own-request.ts'
import { Change, json, Refusal, text } from './own-schemas.ts'
import { timeQuery } from './time-query.ts'

const MOST = 1000
const limits = `a whole number from 1 to ${MOST}`

const changesOf = createRoute({
  method: 'get',
  path: '/changes',
  summary:
    'Changes of all prompts, or of one (a deleted prompt keeps its own), newest first. Every filter narrows it: kinds, ' +
    'alias, who made it, from when to when.',
  description:
    'With `Accept: text/event-stream` it is a stream instead: all changes after `after`, oldest first, then each as it is ' +
    'made. The filters do not narrow it. Its events are `hello`, `change`, `heartbeat` and `reset`.',
  request: {
    query: z.object({
      prompt: anyPromptName.optional(),
      kind: kindsWithCommas.optional(),
      alias: anyAlias.optional(),
      actor: plainText.optional(),
      since: timeQuery.optional(),
      until: timeQuery.optional(),
      limit: z
        .string()
        .regex(/^\d{1,9}$/, limits)
        .transform(Number)
        .pipe(z.int().min(1, limits).max(MOST, limits))
        .default(100)
        .openapi({ type: 'integer', minimum: 1, maximum: MOST, default: 100 }),
      page_token: z
        .string()
        .regex(/^\d{0,15}$/, 'a next_page_token of an earlier answer')
        .optional(),
      after: z
        .string()
        .regex(/^\d{0,15}$/, 'the id of an event: a whole number')
        .optional(),
    }),
    headers: z.object({
      'last-event-id': text
        .optional()
        .openapi({ description: 'as `after`, and before it: what an `EventSource` sends' }),
    }),
  },
  responses: {
    200: {
      description: 'A page of changes; or the stream, which has no end.',
      content: {
        'application/json': {
          schema: z.object({ changes: z.array(Change), next_page_token: text.optional() }),
        },
        'text/event-stream': { schema: z.string() },
      },
    },
    400: json(Refusal, 'A parameter is not what it must be; the message names it.'),
    404: json(Refusal, 'There is no such prompt, and never was.'),
  },
})

/** Ours: the append-only log. */
export const changes = ({ changes: log, prompts }: Store) =>
  new OpenAPIHono<ServerEnv>({ defaultHook: refuseInvalid }).openapi(changesOf, async (c) => {
    const { kind, limit, page_token: token, ...filter } = c.req.valid('query')
    const { prompt, alias, actor } = filter
    if (prompt !== undefined) checkKnownName(prompt, 'prompt')
    if (alias !== undefined) aliasName(alias)
    if (actor !== undefined) checkText(actor, 'actor')
    const kinds = kind === undefined ? [] : readKinds(kind)
    // The token is the `seq` of the last change that was seen.
    const before = token ? Number(token) : undefined
    const { changes: found, more } = await log.page({ ...filter, kinds, limit, before })
    if (found.length === 0 && prompt !== undefined) await requireKnown(prompt)
    const page = found.map(fromChange) as z.infer<typeof Change>[]
    const last = page.at(-1)?.seq
    const next = more && last !== undefined ? { next_page_token: String(last) } : {}
    return c.json({ changes: page, ...next }, 200)

    /** A prompt that is there may have no change yet, and one that was deleted has its own. @throws {PromptNotFound} */
    async function requireKnown(name: string): Promise<void> {
      const some = await log.list({ prompt: name, limit: 1 })
      if (some.length === 0) await prompts.get(name)
    }
  })

/** @throws {InvalidInput} */
function readKinds(given: string): ChangeKind[] {
  return given.split(',').map((kind) => {
    const known = CHANGE_KINDS.find((one) => one === kind)
    return known ?? refuse('kind', kind, `a list with commas of ${CHANGE_KINDS.join(', ')}`)
  })
}
