import type { Registry, RegistryOptions } from '@promptkeep/client'
import { createAdmin } from '@promptkeep/client/admin'
import { createEvalDeps, createLiveMetric, EvalFailure } from '@promptkeep/evals'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Effects } from '../packages/cli/src/io.ts'
import { ask } from './support/ask.ts'
import {
  cases,
  createPromotionFolder,
  knowing,
  openRegistry,
  type PromotionFolder,
  promptkeep,
  type Ran,
  TOPICS,
} from './support/promotion.ts'
import { bearer, startTokenRegistry, type TokenRegistry } from './support/token-registry.ts'

/** Nobody listens there. */
const NOWHERE = 'http://127.0.0.1:1'

interface Row {
  readonly when: string
  /** What there is; v1 is production and v2 the candidate, which has runs only where it is said. */
  readonly given?: (place: Place) => Promise<unknown>
  /** `PROMPT` stands for the name. */
  readonly flags?: readonly string[]
  readonly env?: (tokens: TokenRegistry['tokens']) => Readonly<Record<string, string>>
  readonly effects?: (place: Place) => Partial<Effects>
  readonly code: 0 | 1 | 2
  readonly says: RegExp
}

interface Place {
  readonly prompt: string
  /** The suite. */
  readonly suite: string
  readonly folder: PromotionFolder
  /** Runs of the candidate, of the baseline, or of both. @returns their ids */
  evaluate(...chains: string[]): Promise<string[]>
  /** By MLflow's routes, as an admin. */
  write(path: string, fields: object): Promise<void>
}

const BOTH = ['experiment,production', 'production'] as const
const judged = ({ evaluate }: Place) => evaluate(...BOTH)
const FORCED = { force: true, reason: 'the start' } as const
const yesterday = 25 * 3_600_000

const PROMOTE: Row[] = [
  { when: 'all is well', given: judged, flags: ['--no-run'], code: 0, says: /"promoted"/ },
  {
    when: 'the candidate is worse',
    given: async ({ prompt, folder, suite }) => {
      await folder.suite(suite, cases(60, [prompt]), { threshold: 0.99 })
      await registry.register({ name: prompt, template: knowing('three', TOPICS.slice(1)) })
      await registry.setAlias(prompt, 'experiment', 3)
    },
    code: 1,
    says: /"refused"/,
  },
  {
    when: 'there are too few cases',
    given: ({ prompt, folder, suite }) => folder.suite(suite, cases(12, [prompt])),
    code: 2,
    says: /"inconclusive"/,
  },
  { when: 'a flag is unknown', flags: ['--hurry'], code: 2, says: /unknown option '--hurry'/ },
  { when: 'there are two names', flags: ['another'], code: 2, says: /too many arguments/ },
  { when: '--from cannot be an alias', flags: ['--from', 'a b'], code: 2, says: /--from/ },
  { when: '--to cannot be an alias', flags: ['--to', ''], code: 2, says: /--to/ },
  { when: '--max-age is no time', flags: ['--max-age', 'long'], code: 2, says: /--max-age/ },
  { when: '--rerun meets --no-run', flags: ['--rerun', '--no-run'], code: 2, says: /--rerun/ },
  { when: '--force has no --reason', flags: ['--force'], code: 2, says: /--force needs --reason/ },
  { when: '--force has a blank one', flags: ['--force', '--reason', '  '], code: 2, says: /--reason/ },
  { when: '--from is --to', flags: ['--from', 'production'], code: 2, says: /both production/ },
  { when: 'nobody knows the alias', flags: ['--from', 'nobody'], code: 2, says: /has no alias nobody/ },
  { when: 'the address is none', flags: ['--tracking-uri', 'ftp://here'], code: 2, says: /ftp:/ },
  { when: 'the registry is down', flags: ['--tracking-uri', NOWHERE], code: 2, says: /cannot be reached/ },
  { when: 'the folder is not there', flags: ['--evals', 'nowhere'], code: 2, says: /nowhere/ },
  { when: 'the suite is not there', flags: ['--suite', 'nothing'], code: 2, says: /no suite nothing/ },
  {
    when: 'the report cannot be written',
    given: judged,
    flags: ['--no-run', '--markdown', 'nowhere/report.md'],
    code: 2,
    says: /--markdown: nowhere\/report\.md cannot be written/,
  },
  { when: 'there is no evidence', flags: ['--no-run'], code: 2, says: /no run of this suite judged/ },
  {
    when: 'it is stale',
    given: judged,
    flags: ['--no-run', '--max-age', '24h'],
    effects: () => ({ now: () => Date.now() + yesterday }),
    code: 2,
    says: /it is stale/,
  },
  {
    when: 'it ends in the future',
    given: judged,
    flags: ['--no-run'],
    effects: () => ({ now: () => Date.now() - yesterday }),
    code: 2,
    says: /still to come/,
  },
  {
    when: 'it is invalid',
    given: async (place) => {
      const [run_id] = await judged(place)
      await place.write('runs/set-tag', { run_id, key: 'promptkeep.invalid', value: 'by hand' })
    },
    flags: ['--no-run'],
    code: 2,
    says: /marked invalid: by hand/,
  },
  {
    when: 'it is of another dataset',
    given: async (place) => {
      await judged(place)
      await place.folder.suite(place.suite, cases(61, [place.prompt]))
    },
    flags: ['--no-run'],
    code: 2,
    says: /another dataset/,
  },
  {
    when: 'its bar was lowered since',
    given: async (place) => {
      await judged(place)
      await place.folder.suite(place.suite, cases(60, [place.prompt]), { threshold: 0.1 })
    },
    flags: ['--no-run'],
    code: 2,
    says: /the file of its suite was another one/,
  },
  {
    when: 'another model is asked for',
    given: judged,
    flags: ['--no-run', '--model', 'scripted-2'],
    code: 2,
    says: /model scripted-1 answered, and not scripted-2/,
  },
  {
    when: 'a suite asks a judge, and none is named',
    given: async ({ folder, suite, prompt }) => {
      const scorers = ['contains', { judge: { rubric: 'Is it kind?', prompt: 'judge' } }]
      await folder.suite(suite, cases(60, [prompt]), { scorers })
    },
    code: 2,
    says: /asks a judge: name its model with --judge-model/,
  },
  {
    when: 'it is there by evidence that is none',
    given: ({ prompt }) => registry.setAlias(prompt, 'staging', 2, { evidence: 'runs:/mine' }),
    flags: ['--to', 'staging'],
    code: 2,
    says: /not known to have earned that \(run mine cannot be read/,
  },
  {
    when: 'another judge judged it',
    given: async (place) => {
      const [run_id] = await judged(place)
      await place.write('runs/log-parameter', { run_id, key: 'judge_model', value: 'gpt-9' })
    },
    flags: ['--no-run'],
    code: 2,
    says: /not comparable: judge_model differs/,
  },
  {
    when: 'another prompt of the judge judged it',
    given: async (place) => {
      const [run_id] = await judged(place)
      await place.write('runs/log-parameter', { run_id, key: 'judge_digest.judge', value: 'f'.repeat(64) })
    },
    flags: ['--no-run'],
    code: 2,
    says: /not comparable: judge's prompt/,
  },
  {
    when: 'there is no run of the baseline',
    given: ({ evaluate }) => evaluate(BOTH[0]),
    flags: ['--no-run'],
    code: 2,
    says: /no baseline run of v1/,
  },
  {
    when: 'MLflow is gone between the judgement and the move',
    given: judged,
    flags: ['--no-run'],
    effects: () => moving(async () => openRegistry(NOWHERE)),
    code: 2,
    says: /whether production of \S+ was moved is not known/,
  },
  {
    when: 'somebody else moves it first',
    given: judged,
    flags: ['--no-run'],
    effects: ({ prompt }) =>
      moving(async (mine) => {
        await registry.setAlias(prompt, 'production', 2, { force: true, reason: 'somebody else' })
        return mine
      }),
    code: 2,
    says: /somebody else moved it/,
  },
  {
    when: 'the prompt is made anew just before the move',
    given: async ({ prompt, evaluate }) => {
      await registry.setAlias(prompt, 'staging', 1)
      await evaluate('experiment,staging', 'staging')
    },
    flags: ['--no-run', '--to', 'staging'],
    effects: ({ prompt }) =>
      moving(async (mine) => {
        await remove('registered-models/delete', { name: prompt })
        for (const text of ['other', 'another']) await registry.register({ name: prompt, template: text })
        for (const alias of ['staging', 'production'])
          await registry.setAlias(prompt, alias, 1, alias === 'production' ? FORCED : {})
        await registry.setAlias(prompt, 'experiment', 2)
        return mine
      }),
    code: 2,
    says: /made anew meanwhile with another text, which nobody judged/,
  },
  {
    when: 'the policy refuses the move',
    given: async ({ prompt, evaluate }) => {
      await registry.setAlias(prompt, 'locked', 1, { force: true, reason: 'the start' })
      await evaluate('experiment,locked', 'locked')
    },
    flags: ['--no-run', '--to', 'locked'],
    code: 2,
    says: /nothing was moved: .*policy/,
  },
  {
    when: 'the policy refuses to be forced',
    flags: ['--force', '--reason', 'now'],
    code: 2,
    says: /nothing was moved: .*policy/,
  },
  {
    when: 'who moves may not',
    given: judged,
    flags: ['--no-run'],
    env: ({ reader }) => ({ PROMPTKEEP_PROMOTER_TOKEN: reader }),
    code: 2,
    says: /PROMPTKEEP_PROMOTER_TOKEN/,
  },
  {
    when: 'who judges may not',
    env: ({ reader }) => ({ PROMPTKEEP_EVALUATOR_TOKEN: reader }),
    code: 2,
    says: /evaluat/,
  },
  {
    when: 'a token is none',
    env: () => ({ PROMPTKEEP_PROMOTER_TOKEN: 'pk_nothing' }),
    code: 2,
    says: /token/,
  },
  {
    when: 'the alias was removed to be rid of the baseline',
    given: async (place) => {
      await judged(place)
      await remove('registered-models/alias', { name: place.prompt, alias: 'production' })
    },
    flags: ['--no-run'],
    code: 2,
    says: /production of \S+ was v1 until it was removed/,
  },
  {
    when: 'it is interrupted',
    effects: () => ({ untilStopped: async () => 'SIGINT' }),
    code: 2,
    says: /interrupted/,
  },
]

const WATCH: Row[] = [
  { when: '--alias is --to', flags: ['--alias', 'production'], code: 2, says: /both production/ },
  { when: '--alias cannot be one', flags: ['--alias', 'a b'], code: 2, says: /--alias/ },
  { when: '--interval is no time', flags: ['--interval', '0'], code: 2, says: /--interval/ },
  { when: '--max-age is no time', flags: ['--max-age', '-1h'], code: 2, says: /--max-age/ },
  { when: 'a flag is unknown', flags: ['--hurry'], code: 2, says: /unknown option/ },
  { when: 'a prompt is named', flags: ['memory'], code: 2, says: /too many arguments/ },
  { when: 'the folder is not there', flags: ['--evals', 'nowhere'], code: 2, says: /nowhere/ },
  { when: 'the suite is not there', flags: ['--suite', 'nothing'], code: 2, says: /no suite nothing/ },
  { when: 'the address is none', flags: ['--tracking-uri', 'ftp://here'], code: 2, says: /ftp:/ },
  {
    when: 'the registry is down',
    flags: ['--once', '--tracking-uri', NOWHERE],
    code: 2,
    says: /cannot be (asked|reached)/,
  },
  {
    when: 'who judges may not',
    flags: ['--once'],
    env: ({ reader }) => ({ PROMPTKEEP_EVALUATOR_TOKEN: reader }),
    code: 2,
    says: /WARN .*evaluat/,
  },
  {
    when: 'it is interrupted',
    effects: () => ({ untilStopped: async () => 'SIGTERM' }),
    code: 0,
    says: /watching experiment/,
  },
]

const METRIC = ['--metric', 'thumbs_up']
const GUARD: Row[] = [
  { when: 'there is no rollout', flags: ['PROMPT', ...METRIC, '--once'], code: 0, says: /^$/ },
  { when: 'no prompt is named', flags: METRIC, code: 2, says: /missing required argument 'name'/ },
  { when: 'there is no --metric', flags: ['PROMPT'], code: 2, says: /--metric is missing/ },
  ...['0', '1', '5', 'x', ''].map(
    (margin): Row => ({
      when: `--margin is ${margin || 'empty'}`,
      flags: ['PROMPT', ...METRIC, '--margin', margin],
      code: 2,
      says: /--margin/,
    }),
  ),
  {
    when: '--interval is no time',
    flags: ['PROMPT', ...METRIC, '--interval', 'x'],
    code: 2,
    says: /--interval/,
  },
  {
    when: '--alias cannot be one',
    flags: ['PROMPT', ...METRIC, '--alias', 'a b'],
    code: 2,
    says: /--alias/,
  },
  { when: 'nobody knows the prompt', flags: ['nobody', ...METRIC], code: 2, says: /nobody/ },
  {
    when: 'nobody knows the alias',
    flags: ['PROMPT', ...METRIC, '--alias', 'nobody'],
    code: 2,
    says: /nobody/,
  },
  {
    when: 'the registry is down',
    flags: ['PROMPT', ...METRIC, '--once', '--tracking-uri', NOWHERE],
    code: 2,
    says: /cannot be reached/,
  },
  {
    when: 'nothing was observed',
    given: split,
    flags: ['PROMPT', ...METRIC, '--once'],
    code: 2,
    says: /no observation of thumbs_up for v1, v2/,
  },
  {
    when: 'nobody logs to the experiment',
    given: split,
    flags: ['PROMPT', ...METRIC, '--once', '--experiment', 'nowhere'],
    code: 2,
    says: /no observation/,
  },
  {
    when: 'an observation is none',
    given: async (place) => {
      await split(place)
      await observe(place.prompt, 1, { 1: 1, 2: 1 })
      const { tracking } = createEvalDeps({ registry, trackingUri: server.url, env: asEvaluator() })
      const { runs } = await tracking.findRuns({
        experiment: 'promptkeep-live',
        filter: `params.\`prompt.${place.prompt}\` = 'v2'`,
      })
      const [run] = runs
      if (!run) throw new EvalFailure('CONFIGURATION', 'no run')
      await tracking.openRun(run).logMetrics({ thumbs_up: 5 }, Date.now())
    },
    flags: ['PROMPT', ...METRIC, '--once'],
    effects: () => ({ now: () => Date.now() + 10_000 }),
    code: 2,
    says: /has 5 for thumbs_up: an observation is from 0 to 1/,
  },
  {
    when: 'the version is worse',
    given: async (place) => {
      await split(place)
      await observe(place.prompt, 60, { 1: 1, 2: 0 })
    },
    flags: ['PROMPT', ...METRIC, '--once'],
    effects: () => ({ now: () => Date.now() + 10_000 }),
    code: 1,
    says: /ROLLED BACK/,
  },
  {
    when: 'it is worse, and who watches may not end it',
    given: async (place) => {
      await split(place)
      await observe(place.prompt, 60, { 1: 1, 2: 0 })
    },
    flags: ['PROMPT', ...METRIC, '--once'],
    env: ({ reader }) => ({ PROMPTKEEP_PROMOTER_TOKEN: reader }),
    effects: () => ({ now: () => Date.now() + 10_000 }),
    code: 2,
    says: /error:/,
  },
  {
    when: 'it is interrupted',
    flags: ['PROMPT', ...METRIC],
    effects: () => ({ untilStopped: async () => 'SIGTERM' }),
    code: 0,
    says: /^$/,
  },
]

let server: TokenRegistry
/** As an admin. */
let registry: Registry

const asAdmin = () => ({ MLFLOW_TRACKING_TOKEN: server.tokens.admin })
const asEvaluator = () => ({ MLFLOW_TRACKING_TOKEN: server.tokens.evaluator })

/** By MLflow's routes, as an admin who forces it. */
async function remove(path: string, fields: object): Promise<void> {
  const answer = await ask(server.url, {
    method: 'DELETE',
    path: `/api/2.0/mlflow/${path}`,
    body: JSON.stringify(fields),
    headers: {
      'content-type': 'application/json',
      'promptkeep-force': 'true',
      'promptkeep-reason': 'to get by',
      ...bearer(server.tokens.admin),
    },
  })
  expect(answer).toMatchObject({ status: 200 })
}

/** The move is made by another registry, or after something. */
const moving = (by: (mine: Registry) => Promise<Registry>): Partial<Effects> => ({
  createRegistry(options: RegistryOptions) {
    const mine = openRegistry(server.url, options.env?.MLFLOW_TRACKING_TOKEN)
    return { ...mine, setAlias: async (...args) => (await by(mine)).setAlias(...args) }
  },
})

function split({ prompt }: Place): Promise<unknown> {
  const admin = createAdmin({ trackingUri: server.url, env: asAdmin() })
  return admin.rollout({ name: prompt, weights: { 1: 50, 2: 50 }, reason: 'a look', force: true })
}

async function observe(name: string, times: number, values: Readonly<Record<1 | 2, number>>): Promise<void> {
  const { tracking } = createEvalDeps({ registry, trackingUri: server.url, env: asEvaluator() })
  const metric = createLiveMetric({ metric: 'thumbs_up', tracking, now: Date.now })
  for (const version of [1, 2] as const) {
    const { digest } = await registry.load(name, { version })
    for (let i = 0; i < times; i++) metric.observe({ name, version, digest }, values[version])
  }
  await metric.close()
}

describe('exit codes', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    server = await startTokenRegistry()
    registry = openRegistry(server.url, server.tokens.admin)
    const { policies } = createAdmin({ trackingUri: server.url, env: asAdmin() })
    const policy = { reasonRequired: true, evidenceRequired: true } as const
    await policies.set({ alias: 'production', roles: ['promoter'], ...policy })
    await policies.set({ alias: 'locked', roles: ['admin'], ...policy })
  })
  afterAll(async () => {
    await registry?.close()
    await server?.stop()
  })

  let count = 0
  async function run(command: string, row: Row): Promise<{ ran: Ran; prompt: string }> {
    const folder = await createPromotionFolder()
    const id = ++count
    const [prompt, suite] = [`support-${id}`, `tone-${id}`]
    const place: Place = {
      prompt,
      suite,
      folder,
      async evaluate(...chains) {
        const ids: string[] = []
        for (const chain of chains) {
          const env = { MLFLOW_TRACKING_URI: server.url, ...asEvaluator() }
          const { out } = await promptkeep(folder.cwd, env, [
            'eval',
            'evals',
            '--json',
            `--prompt-alias=${chain}`,
          ])
          ids.push((JSON.parse(out) as { suites: [{ run: { id: string } }] }).suites[0].run.id)
        }
        return ids
      },
      async write(path, fields) {
        const answer = await ask(server.url, {
          method: 'POST',
          path: `/api/2.0/mlflow/${path}`,
          body: JSON.stringify(fields),
          headers: { 'content-type': 'application/json', ...bearer(server.tokens.admin) },
        })
        expect(answer).toMatchObject({ status: 200 })
      },
    }
    try {
      await folder.suite(suite, cases(60, [prompt]))
      for (const text of ['one', 'two']) await registry.register({ name: prompt, template: knowing(text) })
      await registry.setAlias(prompt, 'production', 1, { force: true, reason: 'the start' })
      await registry.setAlias(prompt, 'experiment', 2)
      await row.given?.(place)
      const env = {
        MLFLOW_TRACKING_URI: server.url,
        PROMPTKEEP_EVALUATOR_TOKEN: server.tokens.evaluator,
        PROMPTKEEP_PROMOTER_TOKEN: server.tokens.promoter,
        ...row.env?.(server.tokens),
      }
      const flags = (row.flags ?? []).map((flag) => (flag === 'PROMPT' ? prompt : flag))
      const args = command === 'promote' ? ['promote', prompt, '--json', ...flags] : [command, ...flags]
      return { ran: await promptkeep(folder.cwd, env, args, row.effects?.(place)), prompt }
    } finally {
      await folder.remove()
      // Nobody's candidate any longer: `watch` looks at all of them.
      await registry.setAlias(prompt, 'production', 2, { force: true, reason: 'done' })
      const { aliases } = await registry.find(prompt)
      if (aliases.experiment !== 2) await registry.setAlias(prompt, 'experiment', 2)
    }
  }

  it.each(PROMOTE)('promote: $code when $when', async (row) => {
    const { ran, prompt } = await run('promote', row)
    expect({ code: ran.code, said: `${ran.out}${ran.err}` }).toEqual({
      code: row.code,
      said: expect.stringMatching(row.says),
    })
    const admin = createAdmin({ trackingUri: server.url, env: asAdmin() })
    const { items } = await admin.changes({ prompt, alias: 'production' })
    expect(items.filter(({ actor }) => actor === 'promoter')).toHaveLength(row.code === 0 ? 1 : 0)
  })
  it.each(WATCH)('watch: $code when $when', async (row) => {
    const { ran } = await run('watch', row)
    expect({ code: ran.code, said: `${ran.out}${ran.err}` }).toEqual({
      code: row.code,
      said: expect.stringMatching(row.says),
    })
  })
  it.each(GUARD)('guard: $code when $when', async (row) => {
    const { ran } = await run('guard', row)
    expect({ code: ran.code, said: `${ran.out}${ran.err}` }).toEqual({
      code: row.code,
      said: expect.stringMatching(row.says),
    })
  })
})
