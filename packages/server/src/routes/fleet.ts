import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import { checkAliasToLoad, checkName, checkText, checkVersion, TAG } from '@promptkeep/client/protocol'
import type { ServerEnv } from '../env.ts'
import type { KnownInstance, RunningPrompt, Store } from '../store/store.ts'
import { checkKnownName } from './known-name.ts'
import { aliasName } from './mlflow/rules.ts'
import { anyAlias, anyPromptName, loadedAlias, plainText, promptName, versionNumber } from './own-fields.ts'
import { jsonBody, refuseInvalid } from './own-request.ts'
import { badField, flag, json, jsonRequest, text, whole } from './own-schemas.ts'

const MAX_PROMPTS = 1_000
const ID = /^[\w.:@/-]{1,100}$/
const idLimits = 'at most 100 letters, digits and _ . : @ / -'
const id = z.string(idLimits).regex(ID, idLimits)
const digest = z.string('64 hexadecimal digits').regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits')

const Running = z.object({ name: promptName, alias: loadedAlias, version: versionNumber, digest })
const Report = z.object(
  {
    app: id,
    instance: id,
    seq: whole.min(0, 'a whole number from 0').optional(),
    prompts: z
      .array(Running, 'a list of prompts')
      .max(MAX_PROMPTS, `at most ${MAX_PROMPTS} prompts`)
      .optional(),
    gone: flag.optional().openapi({ description: 'the instance ends; nothing else is read then' }),
  },
  'a JSON object',
)

const Instance = z.object({
  app: text,
  instance: text,
  seq: whole.optional(),
  reported_at: whole,
  version: whole,
  digest: text,
})
const Reach = z.object({
  name: text,
  alias: text,
  version: whole.optional().openapi({ description: 'what the alias says now; absent when it is gone' }),
  digest: text.optional(),
  instances: z.array(Instance),
})
const Fleet = z
  .object({
    seq: whole.openapi({ description: 'of the last change that this answer knows' }),
    at: whole.openapi({ description: 'the time of this answer, in milliseconds' }),
    instances: whole.openapi({ description: 'that reported within 90 seconds' }),
    prompts: z.array(Reach),
  })
  .openapi('Fleet')

const report = createRoute({
  method: 'post',
  path: '/fleet',
  summary:
    'An instance of an app tells what it runs. Its report takes the place of the one before; without another one for 90 ' +
    'seconds it counts as gone.',
  request: jsonRequest(Report),
  responses: { 200: json(z.object({}), 'Taken.'), ...badField },
})
const show = createRoute({
  method: 'get',
  path: '/fleet',
  summary: 'How far moves have reached: by prompt and alias, which instances run what.',
  request: {
    query: z.object({
      prompt: anyPromptName.optional(),
      alias: anyAlias.optional(),
      app: plainText.optional(),
    }),
  },
  responses: { 200: json(Fleet, 'What runs where.'), ...badField },
})

/** Ours: what runs where. */
export function fleet({ fleet: store, history }: Store) {
  const app = new OpenAPIHono<ServerEnv>({ defaultHook: refuseInvalid })
  app.use('/fleet', jsonBody)
  return app
    .openapi(report, async (c) => {
      const { app, instance, seq, prompts = [], gone = false } = c.req.valid('json')
      for (const [i, { name, alias, version }] of prompts.entries()) {
        checkName(name, `prompts[${i}].name`)
        checkAliasToLoad(alias, `prompts[${i}].alias`)
        checkVersion(version, `prompts[${i}].version`)
      }
      if (gone) await store.leave(app, instance)
      else await store.report({ app, instance, seq, prompts }, c.get('principal').actor)
      return c.json({}, 200)
    })
    .openapi(show, async (c) => {
      const { prompt, alias, app } = c.req.valid('query')
      if (prompt !== undefined) checkKnownName(prompt, 'prompt')
      if (alias !== undefined) aliasName(alias)
      if (app !== undefined) checkText(app, 'app')
      const running = await store.running(app)
      const groups = groupsOf(
        running,
        (one) => (prompt ?? one.name) === one.name && (alias ?? one.alias) === one.alias,
      )
      let seq = 0
      const prompts: z.infer<typeof Reach>[] = []
      for (const [alias, byName] of groups) {
        const now = await history.resolve([...byName.keys()], [alias])
        seq = now.seq
        const said = new Map(now.found.map(({ name, version }) => [name, version]))
        for (const [name, instances] of byName) {
          const version = said.get(name)
          const digest = version?.tags[TAG.digest]
          prompts.push({
            name,
            alias,
            ...(version && { version: version.version }),
            ...(digest !== undefined && { digest }),
            instances,
          })
        }
      }
      if (groups.size === 0) seq = (await history.resolve([], ['production'])).seq
      prompts.sort((a, b) => (`${a.name}@${a.alias}` < `${b.name}@${b.alias}` ? -1 : 1))
      return c.json({ seq, at: Date.now(), instances: running.length, prompts }, 200)
    })
}

type Groups = Map<string, Map<string, z.infer<typeof Instance>[]>>

/** By alias, then by name. */
function groupsOf(running: readonly KnownInstance[], isWanted: (one: RunningPrompt) => boolean): Groups {
  const groups: Groups = new Map()
  for (const { app, instance, seq, reportedAt, prompts } of running) {
    for (const { name, alias, version, digest } of prompts.filter(isWanted)) {
      const byName = groups.get(alias) ?? new Map()
      groups.set(alias, byName)
      const instances = byName.get(name) ?? []
      byName.set(name, instances)
      instances.push({
        app,
        instance,
        ...(seq !== undefined && { seq }),
        reported_at: reportedAt,
        version,
        digest,
      })
    }
  }
  return groups
}
