import { readdirSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRegistry, type Registry } from '@promptkeep/client'
import type { EvalReport } from '@promptkeep/evals'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import {
  type ModelEndpoint,
  type ModelReply,
  type RecordedRequest,
  startModelEndpoint,
} from '../apps/assistant/src/model-endpoint.ts'
import { PROMPT_DEFAULTS } from '../apps/assistant/src/prompt-defaults.ts'
import { createIo, type Effects } from '../packages/cli/src/io.ts'
import { main } from '../packages/cli/src/main.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const EVALS = at('../apps/assistant/evals')
const SUITES = readdirSync(EVALS)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => basename(name, '.yaml'))

/** Of each suite as many cases as a flag needs to show that it is honoured. */
const CASES = 2

interface Output {
  readonly exitCode: number
  readonly suites: readonly (EvalReport & { readonly error?: { readonly message: string } })[]
}

describe.each(SUITES)('every flag of eval is honoured by %s', { timeout: 60_000 }, (suite) => {
  let server: TestRegistry
  let registry: Registry
  let model: ModelEndpoint
  let cwd = ''
  let dataset = ''
  let needsJudge = false
  let answer: (request: RecordedRequest) => ModelReply | Promise<ModelReply>

  beforeAll(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'promptkeep-flags-'))
    server = await startRegistry()
    registry = createRegistry({
      ...{ trackingUri: server.url, strict: true, cacheTtlSeconds: 0, env: {} },
      defaults: PROMPT_DEFAULTS,
    })
    await registry.seed()
    model = await startModelEndpoint({ record: true, respond: (request) => answer(request) })
    const { scorers } = parse(await readFile(join(EVALS, `${suite}.yaml`), 'utf8')) as {
      scorers: (string | object)[]
    }
    needsJudge = scorers.some((one) => typeof one === 'object' && 'judge' in one)
    const text = await readFile(join(EVALS, 'datasets', `${suite}.yaml`), 'utf8')
    dataset = join(cwd, 'few.json')
    const { cases } = parse(text) as { cases: object[] }
    await writeFile(dataset, JSON.stringify(cases.slice(0, CASES)))
    // A push leaves its lock file beside what it pushed.
    await cp(at('../packages/evals/prompts'), join(cwd, 'prompts'), { recursive: true })
    await command(['push', 'prompts', '--alias', 'production'])
  })
  afterAll(async () => {
    await model?.close()
    await registry?.close()
    await server?.stop()
    await rm(cwd, { recursive: true, force: true })
  })
  beforeEach(async () => {
    answer = calm
    await rm(join(cwd, '.promptkeep'), { recursive: true, force: true })
  })

  async function command(args: readonly string[], effects: Partial<Effects> = {}) {
    const written = { out: '', err: '' }
    const collect = (stream: 'out' | 'err') => ({
      isTty: false,
      write: (text: string) => {
        written[stream] += text
      },
    })
    const from = model.requests.length
    const code = await main(['node', 'promptkeep', ...args], {
      ...createIo(process),
      env: {
        MLFLOW_TRACKING_URI: server.url,
        OPENAI_BASE_URL: model.url,
        OPENAI_API_KEY: 'key',
        MODEL: 'gpt-a',
        ALLOWED_MODELS: 'gpt-a,gpt-b',
      },
      cwd,
      git: async (args) => (args[0] === 'rev-parse' ? (args[1] === 'HEAD' ? 'c0ffee\n' : cwd) : ''),
      untilStopped: () => new Promise(() => {}),
      out: collect('out'),
      err: collect('err'),
      ...effects,
    })
    return { code, ...written, requests: model.requests.slice(from) }
  }

  const usual = () => ['--dataset', dataset, '--judge-model', 'judge-a', '--trials', '1']

  /** Runs the suite on its first cases. */
  async function run(...flags: string[]) {
    const args = ['eval', join(EVALS, `${suite}.yaml`), '--json', ...usual(), ...flags]
    const { code, out, err, requests } = await command(args)
    const output = JSON.parse(out === '' ? '{"suites":[]}' : out) as Output
    const [report] = output.suites
    if (!report) throw new Error(err)
    return {
      code,
      report,
      err,
      chats: requests.filter(isChat),
      judged: requests.filter((one) => !isChat(one)),
    }
  }

  it('--dataset, --model, --judge-model, --trials, --pass-threshold, --experiment', async () => {
    const flags = [
      '--model',
      'gpt-b',
      '--trials',
      '2',
      '--pass-threshold',
      '0.01',
      '--experiment',
      'elsewhere',
    ]
    const { report, chats, judged } = await run(...flags)
    expect(report.reasons.filter((reason) => /error/.test(reason))).toEqual([])
    expect(report.metrics).toMatchObject({ cases: CASES, total: 2 * CASES })
    expect(new Set(chats.map(({ body }) => body.model))).toEqual(new Set(['gpt-b']))
    expect(report.model).toBe('gpt-b')
    expect(new Set(judged.map(({ body }) => body.model))).toEqual(new Set(needsJudge ? ['judge-a'] : []))
    expect(report.judgeModel).toBe(needsJudge ? 'judge-a' : undefined)
    expect(report.gates[0]?.threshold).toBe(0.01)
    expect(report.run.experiment).toBe('elsewhere')
  })

  it('--prompt-alias', async () => {
    const { template, modelConfig } = await registry.load('orchestrator-base')
    if (typeof template !== 'string') throw new Error('a text was expected')
    const draft = { name: 'orchestrator-base', template: `${template}\nAnd be kind.` }
    const { version } = await registry.register({ ...draft, ...(modelConfig && { modelConfig }) })
    await registry.setAlias('orchestrator-base', 'canary', version)
    const { report } = await run('--prompt-alias', 'canary,production')
    expect(report.promptAlias).toEqual(['canary', 'production'])
    expect(report.prompts['orchestrator-base']).toMatchObject({ version, alias: 'canary' })
    expect(report.candidates['orchestrator-base']).toEqual({ version, cases: CASES })
  })

  it('--concurrency', async () => {
    const most = async (concurrency: string) => {
      let now = 0
      let seen = 0
      answer = async (request) => {
        if (!isChat(request)) return calm(request)
        seen = Math.max(seen, ++now)
        await new Promise((resolve) => setTimeout(resolve, 30))
        now--
        return calm(request)
      }
      await run('--concurrency', concurrency, '--no-cache')
      return seen
    }
    expect(await most('1')).toBe(1)
    expect(await most('2')).toBe(2)
  })

  it('--timeout', async () => {
    answer = (request) => (isChat(request) ? { hang: true } : calm(request))
    const { report } = await run('--timeout', '0.3', '--concurrency', '8')
    expect(report.metrics.errors).toBe(CASES)
    expect(report.cases.map(({ error }) => error?.message)).toEqual(
      Array.from({ length: CASES }, () => 'no answer within 0.3 s'),
    )
  })

  it('--retries', async () => {
    const failing = (times: number) => {
      let left = times
      answer = (request) =>
        isChat(request) && left-- > 0 ? { status: 503, message: 'overloaded' } : calm(request)
    }
    failing(1000)
    const none = await run('--retries', '0', '--concurrency', '8')
    expect(none).toMatchObject({ code: 2, report: { verdict: 'invalid' } })
    expect(none.report.reasons[0]).toMatch(/^infrastructure error in case /)
    expect(none.report.cases.every(({ retries }) => retries === undefined)).toBe(true)
    failing(none.chats.length)
    const some = await run('--retries', '5', '--concurrency', '8')
    expect(some.report.reasons.filter((reason) => /infrastructure/.test(reason))).toEqual([])
    expect(some.report.cases.some(({ retries = 0 }) => retries > 0)).toBe(true)
  })

  it('--cache and --no-cache', async () => {
    await run('--cache')
    const { report, chats } = await run('--cache')
    expect({ cached: report.metrics.cached, asked: chats.length }).toEqual({ cached: CASES, asked: 0 })
    const anew = await run('--no-cache')
    expect(anew.report.metrics.cached).toBeUndefined()
    expect(anew.chats.length).toBeGreaterThanOrEqual(CASES)
  })

  it('--resume', async () => {
    const { report } = await run()
    const again = await run('--resume')
    expect(again.report.run.id).toBe(report.run.id)
    expect(again.chats).toEqual([])
  })

  it('--shard and --merge', async () => {
    const whole = await run('--no-cache')
    for (const shard of ['1/2', '2/2']) {
      const { code, report } = await run('--shard', shard, '--no-cache')
      expect({ code, report }).toMatchObject({ code: 0, report: { verdict: 'shard', shard } })
    }
    const { code, report, chats } = await run('--merge', '.promptkeep/evals')
    expect(chats).toEqual([])
    expect(code).toBe(whole.code)
    const { duration_ms: _, ...metrics } = report.metrics
    expect(whole.report.metrics).toMatchObject(metrics)
    expect(report.verdict).toBe(whole.report.verdict)
  })

  it('--verbose, --json, and a table without it', async () => {
    const { out } = await command(['eval', join(EVALS, `${suite}.yaml`), ...usual(), '--verbose'])
    expect(out).toMatch(new RegExp(`^${suite}: (PASSED|FAILED)`))
    expect(out).toContain(ANSWER)
  })

  it('--dry-run, alone and with --all, asks nobody', async () => {
    const one = await command(['eval', join(EVALS, `${suite}.yaml`), '--dry-run', '--dataset', dataset])
    expect(one).toMatchObject({ code: 0, requests: [] })
    expect(one.out).toContain(`${suite}: fine; ${CASES} cases`)
    const all = await command(['eval', '--all', '--dry-run'], { cwd: at('../apps/assistant') })
    expect(all).toMatchObject({ code: 0, requests: [] })
    expect(all.out).toContain(`${suite}: fine; `)
  })

  it('--judge-model is asked for where it is needed, before anything runs', async () => {
    const args = ['eval', join(EVALS, `${suite}.yaml`), '--dataset', dataset, '--trials', '1']
    const { code, err, requests } = await command(args)
    if (!needsJudge) return expect(requests.length).toBeGreaterThan(0)
    expect({ code, requests }).toEqual({ code: 2, requests: [] })
    expect(err).toContain(`${suite} has a scorer that asks a judge: name its model with --judge-model`)
  })
})

/** Asked by the target, and not by a judge. */
const isChat = ({ body }: RecordedRequest): boolean => body.response_format === undefined

const ANSWER = 'The kettle is on.'

/** Always the same answer, and a judge who takes the first grade that it may give. */
function calm(request: RecordedRequest): ModelReply {
  if (isChat(request)) return { content: ANSWER }
  const { properties } = (
    request.body.response_format as { json_schema: { schema: { properties: Record<string, Property> } } }
  ).json_schema.schema
  const judged = Object.entries(properties).map(([key, { enum: values, type }]) => [
    key,
    values?.[0] ?? (type === 'number' ? 1 : 'It is calm.'),
  ])
  return { content: JSON.stringify(Object.fromEntries(judged)) }
}

interface Property {
  readonly type: string
  readonly enum?: readonly string[]
}
