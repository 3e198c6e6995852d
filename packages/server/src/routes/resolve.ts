import { createHash } from 'node:crypto'
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import { checkChain, fromChange, refuse } from '@promptkeep/client/protocol'
import type { ServerEnv } from '../env.ts'
import type { HistoryStore, PastVersion, Store } from '../store/store.ts'
import { checkKnownName } from './known-name.ts'
import { WireVersion } from './mlflow/answers.ts'
import { wireVersion } from './mlflow/wire.ts'
import { aliasesWithCommas, namesWithCommas } from './own-fields.ts'
import { refuseInvalid } from './own-request.ts'
import { Change, json, Refusal, text, whole } from './own-schemas.ts'
import { timeQuery } from './time-query.ts'

const MOST_NAMES = 500
const MOST_ALIASES = 10

const Missing = z.object({ name: text, code: z.enum(['PROMPT_NOT_FOUND', 'ALIAS_NOT_FOUND']) })
const Resolved = z
  .object({
    seq: whole.openapi({ description: 'of the last change that this answer knows' }),
    at: whole.optional().openapi({ description: 'the time that was asked for, in milliseconds' }),
    prompts: z.array(
      z.object({
        name: text,
        alias: text.openapi({ description: 'the first of the chain that the prompt has' }),
        version: whole.optional().openapi({ description: 'of a past answer, as all that follows' }),
        digest: text.optional(),
        rollout: text.optional().openapi({ description: 'weights, as the version’s tag said them' }),
        model_version: WireVersion.optional().openapi({ description: 'absent where it was not kept' }),
        since: Change.optional().openapi({ description: 'the change that made the alias say this' }),
      }),
    ),
    missing: z.array(Missing),
  })
  .openapi('Resolution')

type Answer = z.infer<typeof Resolved>

const resolveNames = createRoute({
  method: 'get',
  path: '/resolve',
  summary:
    'Many prompts through an alias chain in one answer, as of one change of the log; with `at`, as it was then. What ' +
    'there is not is listed. The ETag is over the answer without `seq`; the header Promptkeep-Seq has it also on 304.',
  request: {
    query: z.object({
      names: namesWithCommas.openapi({
        description: `at most ${MOST_NAMES}, with commas; a name that holds a comma cannot be asked for`,
      }),
      alias: aliasesWithCommas
        .default('production')
        .openapi({ description: `an alias, or a chain of at most ${MOST_ALIASES} with commas` }),
      at: timeQuery.optional(),
    }),
    headers: z.object({
      'if-none-match': text.optional().openapi({ description: 'ETag of an earlier answer' }),
    }),
  },
  responses: {
    200: json(Resolved, 'What the aliases say, or said then.'),
    304: { description: 'As the answer with this ETag.' },
    400: json(Refusal, 'A parameter is not what it must be; the message names it.'),
  },
})

/** Ours: what aliases say, of many prompts at once and at other times. */
export const resolve = ({ history }: Store) =>
  new OpenAPIHono<ServerEnv>({ defaultHook: refuseInvalid }).openapi(resolveNames, async (c) => {
    const { names, alias, at } = c.req.valid('query')
    const wanted = readNames(names)
    const chain = readChain(alias)
    const answer =
      at === undefined ? await now(history, wanted, chain) : await then(history, { wanted, chain, at })
    const etag = etagOf(answer)
    c.header('ETag', etag)
    c.header('Promptkeep-Seq', String(answer.seq))
    c.header('Cache-Control', 'no-cache')
    if (matches(c.req.header('if-none-match'), etag)) return c.body(null, 304)
    return c.json(answer, 200)
  })

async function now(
  history: HistoryStore,
  names: readonly string[],
  chain: readonly string[],
): Promise<Answer> {
  const { seq, found, missing } = await history.resolve(names, chain)
  const prompts = found.map(({ name, alias, version }) => ({
    name,
    alias,
    model_version: wireVersion(version),
  }))
  return { seq, prompts, missing: [...missing] }
}

interface Past {
  readonly wanted: readonly string[]
  readonly chain: readonly string[]
  readonly at: number
}

async function then(history: HistoryStore, { wanted, chain, at }: Past): Promise<Answer> {
  const { seq, found, missing } = await history.resolveAt(wanted, chain, at)
  return { seq, at, prompts: found.map(wirePast), missing: [...missing] }
}

const wirePast = ({ name, alias, version, digest, rollout, content, since }: PastVersion) => ({
  name,
  alias,
  version,
  ...(digest !== undefined && { digest }),
  ...(rollout !== undefined && { rollout }),
  ...(content && { model_version: wireVersion(content) }),
  since: fromChange(since) as z.infer<typeof Change>,
})

/** @throws {InvalidInput} */
function readNames(given: string): readonly string[] {
  const names = given.split(',')
  for (const name of names) checkKnownName(name, 'names')
  const different = [...new Set(names)]
  if (different.length > MOST_NAMES) refuse('names', different.length, `at most ${MOST_NAMES} names`)
  return different
}

/** @throws {InvalidInput} */
function readChain(given: string): readonly string[] {
  const chain = given.split(',')
  if (chain.length > MOST_ALIASES) refuse('alias', chain.length, `a chain of at most ${MOST_ALIASES} aliases`)
  return checkChain(chain.length === 1 ? given : chain)
}

/** Weak: two answers that differ in `seq` alone have the same one. */
function etagOf({ seq: _, ...answer }: Answer): string {
  return `W/"${createHash('sha256').update(JSON.stringify(answer)).digest('base64url')}"`
}

function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  const opaque = (tag: string) => tag.trim().replace(/^W\//, '')
  return header.trim() === '*' || header.split(',').some((tag) => opaque(tag) === opaque(etag))
}
