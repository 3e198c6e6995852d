import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import { checkName, fromChange } from '@promptkeep/client/protocol'
import type { ServerEnv } from '../env.ts'
import type { Store } from '../store/store.ts'
import { refuseInvalid } from './own-request.ts'
import { Change, json, Refusal, text } from './own-schemas.ts'

const MOST = 1000
const limits = `a whole number from 1 to ${MOST}`

const changesOf = createRoute({
  method: 'get',
  path: '/changes',
  summary: "One prompt's changes, newest first; a deleted prompt keeps its own.",
  request: {
    query: z.object({
      prompt: text,
      limit: z
        .string()
        .regex(/^\d{1,9}$/, limits)
        .transform(Number)
        .pipe(z.int().min(1, limits).max(MOST, limits))
        .default(100),
      page_token: z
        .string()
        .regex(/^\d{0,15}$/, 'a next_page_token of an earlier answer')
        .optional(),
    }),
  },
  responses: {
    200: json(z.object({ changes: z.array(Change), next_page_token: text.optional() }), 'A page of changes.'),
    400: json(Refusal, 'A parameter is not what it must be; the message names it.'),
    404: json(Refusal, 'There is no such prompt, and never was.'),
  },
})

/** Ours: the append-only log, one prompt at a time. */
export const changes = ({ changes: log, prompts }: Store) =>
  new OpenAPIHono<ServerEnv>({ defaultHook: refuseInvalid }).openapi(changesOf, async (c) => {
    const { prompt, limit, page_token: token } = c.req.valid('query')
    checkName(prompt, 'prompt')
    // The token is the `seq` of the last change that was seen.
    const before = token ? Number(token) : undefined
    const found = await log.list({ prompt, limit: limit + 1, before })
    if (found.length === 0 && before === undefined) await prompts.get(prompt)
    const page = found.slice(0, limit).map(fromChange) as z.infer<typeof Change>[]
    const last = page.at(-1)?.seq
    const next = found.length > limit && last !== undefined ? { next_page_token: String(last) } : {}
    return c.json({ changes: page, ...next }, 200)
  })
