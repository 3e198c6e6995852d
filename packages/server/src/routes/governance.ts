import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import {
  checkAlias,
  checkJsonObject,
  checkModelConfig,
  checkName,
  checkTags,
  checkTemplate,
  checkVersion,
  fromChange,
  InvalidInput,
  type JsonObject,
  LIMIT,
  type Logger,
  type ModelConfig,
  TAG,
  type Template,
  versionTags,
} from '@promptkeep/client/protocol'
import { authorOf } from '../author.ts'
import type { ServerEnv } from '../env.ts'
import type { Store } from '../store/store.ts'
import { VERSION } from '../version.ts'
import { logChanges } from './log-changes.ts'
import { modelName } from './mlflow/rules.ts'
import { expectedVersion, note, promptName, settableAlias, versionNumber } from './own-fields.ts'
import { jsonBody, refuseInvalid } from './own-request.ts'
import {
  badField,
  Change,
  Elsewhere,
  flag,
  json,
  jsonRequest,
  Refusal,
  requestId,
  text,
  whole,
} from './own-schemas.ts'
import { MODEL_CONFIG, TAGS, TEMPLATE } from './seed-fields.ts'
import { checkNotes, requireNoToken } from './stored-text.ts'

const Capabilities = z.object({
  server: z.literal('promptkeep'),
  version: text,
  seed: z.boolean(),
  compare_and_set: z.boolean(),
  history: z.boolean(),
  resolve: z.boolean(),
  live: z.boolean(),
  fleet: z.boolean(),
  policies: z.boolean(),
})

const object = z.record(z.string(), z.unknown(), 'a JSON object')
const template = z.union([z.string(), z.array(object)], 'a text, or a list of chat messages')
const Seed = z.object(
  {
    name: promptName,
    alias: settableAlias,
    description: note.optional(),
    template: template.openapi(TEMPLATE),
    model_config: object.optional().openapi(MODEL_CONFIG),
    response_format: object.optional(),
    tags: z.record(z.string(), text, 'an object of texts').optional().openapi(TAGS),
    commit_message: note.optional(),
  },
  'a JSON object',
)
const Seeded = z.object({
  outcome: z.enum(['seeded', 'skipped', 'healed']),
  current: z.object({ version: whole, digest: text }).optional(),
})
const Move = z.object(
  {
    name: promptName,
    alias: settableAlias,
    version: versionNumber,
    expected: expectedVersion.optional(),
    reason: note.optional(),
    evidence: note.optional(),
    force: flag.optional(),
    request_id: requestId.optional(),
  },
  'a JSON object',
)

const capabilities = createRoute({
  method: 'get',
  path: '/capabilities',
  summary: 'What this server can do beyond MLflow; a stock MLflow server answers 404.',
  responses: { 200: json(Capabilities, 'How a client knows our server.') },
})
const seed = createRoute({
  method: 'post',
  path: '/seed',
  summary: 'Registers a prompt and points the alias if it is absent, in one transaction.',
  request: jsonRequest(Seed),
  responses: { 200: json(Seeded, 'What happened, and what the alias says now.'), ...badField },
})
const alias = createRoute({
  method: 'post',
  path: '/alias',
  summary:
    'Points an alias at a version; with `expected`, only if it is there now (null: if it is unset). ' +
    'The same `request_id` again answers the change that it made. `evidence` is the id of an eval run, for a policy that ' +
    'asks for it; `force` goes against the policy, and needs an admin and a reason.',
  request: jsonRequest(Move),
  responses: {
    200: json(z.object({ change: Change }), 'The logged change.'),
    ...badField,
    403: json(Refusal, 'The policy of the alias refuses it; the message names the clause that failed.'),
    404: json(Refusal, 'No such prompt or version.'),
    409: json(Elsewhere, 'The alias is elsewhere: at `current`.'),
  },
})

/** Ours, under `/api/promptkeep/1.0`: what MLflow's protocol has no call for. */
export function governance({ prompts, aliases, changes }: Store, log: Logger) {
  const app = new OpenAPIHono<ServerEnv>({ defaultHook: refuseInvalid })
  app.use(jsonBody)
  return app
    .openapi(capabilities, (c) =>
      c.json(
        {
          server: 'promptkeep' as const,
          version: VERSION,
          seed: true,
          compare_and_set: true,
          history: true,
          resolve: true,
          live: true,
          fleet: true,
          policies: true,
        },
        200,
      ),
    )
    .openapi(seed, async (c) => {
      const given = c.req.valid('json')
      const draft = readSeed(given)
      const tags: Record<string, string> = { ...(await versionTags(draft)), [TAG.seeded]: 'true' }
      for (const [key, value] of Object.entries(tags))
        requireNoToken(key === TAG.text ? 'template' : `The tag ${JSON.stringify(key)}`, value)
      const { name, alias, commit_message = '', description = commit_message } = given
      const outcome = await prompts.seed(
        {
          name,
          alias,
          description,
          commitMessage: commit_message,
          versionTags: tags,
          promptTags: { [TAG.isPrompt]: 'true' },
          digest: tags[TAG.digest] ?? '',
        },
        authorOf(c),
      )
      return c.json(outcome, 200)
    })
    .openapi(alias, async (c) => {
      const given = c.req.valid('json')
      const { name, alias, version, expected, reason, evidence, force, request_id: requestId } = given
      checkPromptName(name)
      checkAlias(alias)
      checkVersion(version)
      if (expected !== undefined && expected !== null) checkVersion(expected, 'expected')
      checkNotes({ reason, evidence })
      const author = authorOf(c, { reason, evidence, force })
      const last = requestId === undefined ? 0 : (await changes.bounds()).last
      const change = await aliases.move({ name, alias, to: version, expected, requestId, ...author })
      logChanges(c, log, [change], last)
      return c.json({ change: fromChange(change) as z.infer<typeof Change> }, 200)
    })
}

/** A name of ours that MLflow's routes understand too: the client's rule lets some names pass that look like paths. */
function checkPromptName(name: string): void {
  checkName(name)
  modelName(name)
}

/** What zod's shapes do not say: names, limits, messages, model settings. @throws {InvalidInput} */
function readSeed(given: z.infer<typeof Seed>) {
  const { name, alias, description, template, model_config, response_format, tags, commit_message } = given
  checkPromptName(name)
  checkAlias(alias)
  checkTemplate(template)
  if (model_config !== undefined) checkModelConfig(model_config, 'model_config')
  if (response_format !== undefined) checkJsonObject(response_format, 'response_format')
  if (tags !== undefined) checkTags(tags)
  checkNotes({ commit_message, description })
  requireFits('model_config', model_config)
  requireFits('response_format', response_format)
  return {
    template: template as Template,
    modelConfig: model_config as ModelConfig | undefined,
    responseFormat: response_format as JsonObject | undefined,
    tags,
  }
}

/** Both are kept as a tag. */
function requireFits(field: string, value: object | undefined): void {
  const length = value === undefined ? 0 : JSON.stringify(value).length
  if (length > LIMIT.tagValue)
    throw new InvalidInput(`${field} has ${length} characters as JSON; at most ${LIMIT.tagValue} are allowed`)
}
