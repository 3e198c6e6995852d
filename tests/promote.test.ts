import { type Change, createRegistry, type Registry, type RegistryOptions } from '@promptkeep/client'
import { type AdminOptions, createAdmin } from '@promptkeep/client/admin'
import type { Promotion } from '@promptkeep/evals'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ask } from './support/ask.ts'
import { startFailingProxy } from './support/failing-proxy.ts'
import {
  cases,
  createPromotionFolder,
  knowing,
  openRegistry,
  type PromotionFolder,
  promptkeep,
  TOPICS,
} from './support/promotion.ts'
import { bearer, startTokenRegistry, type TokenRegistry } from './support/token-registry.ts'

describe('promptkeep promote on our server, with a policy and tokens', () => {
  let server: TokenRegistry
  let admin: Registry
  let folder: PromotionFolder
  let prompt = ''
  let count = 0

  beforeAll(async () => {
    server = await startTokenRegistry()
    admin = openRegistry(server.url, server.tokens.admin)
    await as('admin').policies.set({
      alias: 'production',
      roles: ['promoter'],
      reasonRequired: true,
      evidenceRequired: true,
      maxAgeSeconds: 3600,
    })
  })
  afterAll(async () => {
    await admin?.close()
    await server?.stop()
  })
  beforeEach(async () => {
    folder = await createPromotionFolder()
    prompt = `support-${++count}`
  })
  afterEach(() => folder.remove())

  const as = (role: 'admin' | 'reader') =>
    createAdmin({ trackingUri: server.url, env: { MLFLOW_TRACKING_TOKEN: server.tokens[role] } })

  /** Registers texts as v1, v2 …; v1 is production, the last one experiment. */
  async function register(...texts: string[]): Promise<void> {
    for (const template of texts) await admin.register({ name: prompt, template })
    await admin.setAlias(prompt, 'production', 1, { force: true, reason: 'the start' })
    await admin.setAlias(prompt, 'experiment', texts.length)
  }

  const tokens = () => ({
    MLFLOW_TRACKING_URI: server.url,
    PROMPTKEEP_EVALUATOR_TOKEN: server.tokens.evaluator,
    PROMPTKEEP_PROMOTER_TOKEN: server.tokens.promoter,
  })

  async function promote(flags: readonly string[] = [], env: Record<string, string> = tokens()) {
    const { code, out, err } = await promptkeep(folder.cwd, env, ['promote', prompt, '--json', ...flags])
    const promotion = (out === '' ? {} : JSON.parse(out)) as Promotion
    return { code, err, promotion }
  }

  const production = async () => (await admin.find(prompt)).aliases.production
  const lastMove = async (): Promise<Change | undefined> =>
    (await as('reader').changes({ prompt, alias: 'production', limit: 1 })).items[0]

  it('runs candidate and baseline, writes the verdict, moves, and keeps the evidence', async () => {
    await folder.suite('tone', cases(60, [prompt]))
    await register(knowing('one'), knowing('two'))
    const { code, err, promotion } = await promote(['--reason', 'warmer'])
    expect({ code, promotion, err }).toMatchObject({
      code: 0,
      promotion: { outcome: 'promoted', baseline: { version: 1 } },
    })
    expect(err.match(/running it on/g)).toHaveLength(2)
    const run = promotion.suites[0]?.run
    expect(await lastMove()).toMatchObject({
      from: 1,
      to: 2,
      actor: 'promoter',
      evidence: `runs:/${run}`,
      reason: expect.stringMatching(/^warmer \| no worse than v1; tone: pass_rate /),
    })
    const again = await promote()
    expect(again).toMatchObject({
      code: 0,
      promotion: { outcome: 'already-there', evidence: `runs:/${run}` },
    })
  })

  it('refuses a worse one, with the cases that got worse, and marks its run', async () => {
    await folder.suite('tone', cases(60, [prompt]))
    await register(knowing('one'), knowing('two', TOPICS.slice(1)))
    const { code, promotion } = await promote()
    expect(code).toBe(1)
    expect(promotion).toMatchObject({ outcome: 'refused', suites: [{ outcome: 'fail' }] })
    expect(promotion.suites[0]?.worse).toHaveLength(10)
    expect(promotion.suites[0]?.worse.every((id) => id.startsWith('refund-'))).toBe(true)
    expect(await production()).toBe(1)
    expect(await verdictOf(promotion)).toBe('fail')
    const text = await promptkeep(folder.cwd, tokens(), ['promote', prompt, '--no-run'])
    expect(text).toMatchObject({ code: 1, out: expect.stringContaining('worse: refund-1') })
  })

  it('cannot tell by too few cases, and says how many it takes', async () => {
    await folder.suite('tone', cases(12, [prompt]))
    await register(knowing('one'), knowing('two'))
    const { code, promotion } = await promote()
    expect(code).toBe(2)
    expect(promotion).toMatchObject({
      outcome: 'inconclusive',
      suites: [{ answers: [{ n: 12, minimum: 29 }] }],
    })
    expect(promotion.suites[0]?.answers[0]?.needed?.cases).toBeGreaterThan(10)
    expect(await verdictOf(promotion)).toBe('inconclusive')
    expect(await production()).toBe(1)
  })

  it('marks no run as passed while another suite does not pass, and leaves out who is not concerned', async () => {
    await folder.suite('few', cases(12, [prompt]))
    await folder.suite('many', cases(60, [prompt]))
    await admin.register({ name: `other-${prompt}`, template: knowing('other') })
    await admin.setAlias(`other-${prompt}`, 'production', 1, { force: true, reason: 'the start' })
    await folder.suite('others', cases(30, [`other-${prompt}`]))
    await register(knowing('one'), knowing('two'))
    const { code, promotion } = await promote()
    expect(code).toBe(2)
    expect(promotion.suites.map(({ suite, outcome }) => [suite, outcome])).toEqual([
      ['few', 'inconclusive'],
      ['many', 'pass'],
      ['others', 'not-concerned'],
    ])
    expect(await verdictOf(promotion, 1)).toBe('inconclusive')
    const named = await promote(['--suite', 'many', 'others', '--no-run'])
    expect(named).toMatchObject({
      code: 0,
      promotion: { outcome: 'promoted', evidence: `runs:/${promotion.suites[1]?.run}` },
    })
    const nobody = await promote(['--suite', 'others'])
    expect(nobody.code).toBe(0) // it is there, by the evidence from before
  })

  it('goes by thresholds where the alias was never set, and says so', async () => {
    await folder.suite('tone', cases(12, [prompt]), { threshold: 1 })
    await admin.register({ name: prompt, template: knowing('one') })
    await admin.setAlias(prompt, 'experiment', 1)
    const { code, promotion } = await promote()
    expect({ code, outcome: promotion.outcome }).toEqual({ code: 0, outcome: 'promoted' })
    expect(promotion.notes.join()).toContain('thresholds alone decide')
    await admin.register({ name: prompt, template: knowing('two', TOPICS.slice(1)) })
    await admin.setAlias(prompt, 'experiment', 2)
    const worse = await promote(['--to', 'elsewhere'])
    expect(worse).toMatchObject({ code: 1, promotion: { outcome: 'refused' } })
    expect(worse.promotion.suites[0]?.reasons.join()).toMatch(/pass_rate is 0\.83\d*, and must be ≥ 1/)
  })

  it('decides, and writes nothing, in a dry run', async () => {
    await folder.suite('tone', cases(60, [prompt]))
    await register(knowing('one'), knowing('two'))
    const before = await promote(['--dry-run'])
    expect(before).toMatchObject({ code: 2, promotion: { outcome: 'undecided' }, err: '' })
    for (const alias of ['experiment,production', 'production']) await evaluate(`--prompt-alias=${alias}`)
    const { code, promotion } = await promote(['--dry-run'])
    expect({ code, outcome: promotion.outcome }).toEqual({ code: 0, outcome: 'would-promote' })
    expect(await production()).toBe(1)
    expect(await verdictOf(promotion)).toBeUndefined()
    expect(await promote(['--no-run'])).toMatchObject({
      code: 0,
      promotion: { outcome: 'promoted' },
      err: '',
    })
  })

  it('forces with an admin and a reason, and the history says so', async () => {
    await register(knowing('one'), 'nothing')
    expect((await promote(['--force'])).err).toContain('--force needs --reason')
    expect(await promote(['--force', '--reason', 'a leak'])).toMatchObject({ code: 2 })
    expect(await production()).toBe(1)
    const env = { ...tokens(), PROMPTKEEP_PROMOTER_TOKEN: server.tokens.admin }
    const forced = await promote(['--force', '--reason', 'a leak'], env)
    expect(forced).toMatchObject({ code: 0, promotion: { outcome: 'promoted', forced: true } })
    expect(await lastMove()).toMatchObject({
      to: 2,
      forced: true,
      reason: 'forced, without evidence: a leak',
    })
    // Forced is no evidence: being there is none either.
    expect(await promote()).toMatchObject({ code: 2 })
    await folder.suite('tone', cases(60, [prompt]))
    await admin.register({ name: prompt, template: 'nothing, kindly' })
    await admin.setAlias(prompt, 'experiment', 3)
    const next = await promote(['--no-run'])
    expect(next.promotion.notes).toEqual([expect.stringContaining('v2 got production by force')])
  })

  describe('has no evidence', () => {
    const refusal = async (flags: string[] = ['--no-run']) => {
      const { code, promotion, err } = await promote(flags)
      expect(await production()).toBe(1)
      const said = [
        err,
        ...(promotion.problems ?? []),
        ...(promotion.suites ?? []).flatMap(({ reasons }) => reasons),
      ]
      return { code, said: said.join('\n') }
    }
    const both = async () => {
      for (const alias of ['experiment,production', 'production']) await evaluate(`--prompt-alias=${alias}`)
    }

    it('when the candidate is what production says', async () => {
      await folder.suite('tone', cases(30, [prompt]))
      await register(knowing('one'))
      expect(await refusal()).toEqual({ code: 2, said: expect.stringContaining('are both v1') })
    })
    it('when the candidate has the same text', async () => {
      await folder.suite('tone', cases(30, [prompt]))
      await register(knowing('one'), knowing('two'), knowing('one'))
      expect(await refusal([])).toEqual({ code: 2, said: expect.stringContaining('the very text') })
    })
    it('when nobody is a candidate, and of a prompt that does not exist', async () => {
      await folder.suite('tone', cases(30, [prompt]))
      expect((await promote()).code).toBe(2)
      await register(knowing('one'))
      expect((await promote(['--from', 'nobody'])).promotion.problems.join()).toContain('has no alias nobody')
    })
    it('without suites, core ones, the named one, or with broken ones', async () => {
      await register(knowing('one'), knowing('two'))
      expect(await refusal([])).toEqual({ code: 2, said: expect.stringContaining('holds no suites') })
      await folder.suite('tone', cases(30, [prompt]), { core: false })
      expect(await refusal([])).toEqual({ code: 2, said: expect.stringContaining('core: true') })
      expect(await refusal(['--suite', 'tune'])).toEqual({
        code: 2,
        said: expect.stringContaining('no suite tune'),
      })
      expect(await refusal(['--evals', 'nowhere'])).toEqual({
        code: 2,
        said: expect.stringContaining('nowhere'),
      })
      await folder.suite('bad', [], { threshold: 2 })
      expect(await refusal([])).toEqual({ code: 2, said: expect.stringContaining('bad.yaml:1') })
    })
    it('when it is stale', async () => {
      await folder.suite('tone', cases(30, [prompt]))
      await register(knowing('one'), knowing('two'))
      await both()
      const later = { now: () => Date.now() + 2 * 3_600_000 }
      const stale = await promptkeep(folder.cwd, tokens(), ['promote', prompt, '--no-run'], later)
      expect(stale).toMatchObject({ code: 2, out: expect.stringContaining('it is stale') })
      const old = await promptkeep(folder.cwd, tokens(), ['promote', prompt, '--no-run', '--max-age', '1s'], {
        now: () => Date.now() + 5000,
      })
      expect(old).toMatchObject({ code: 2, out: expect.stringContaining('it is stale') })
      expect(await production()).toBe(1)
    })
    it('when the dataset is another one now', async () => {
      await folder.suite('tone', cases(30, [prompt]))
      await register(knowing('one'), knowing('two'))
      await both()
      await folder.suite('tone', cases(31, [prompt]))
      expect(await refusal()).toEqual({ code: 2, said: expect.stringContaining('another dataset') })
    })
    it('when its run is marked invalid, is of a shard, or ended in errors, and of a baseline with errors', async () => {
      await folder.suite('tone', cases(30, [prompt]))
      await register(knowing('one'), knowing('two'))
      const candidate = await evaluate('--prompt-alias=experiment,production')
      expect(await refusal()).toEqual({ code: 2, said: expect.stringContaining('no baseline run of v1') })
      const baseline = await evaluate('--prompt-alias=production')
      await write(candidate.run, 'set-tag', { key: 'promptkeep.invalid', value: 'by hand' })
      expect(await refusal()).toEqual({ code: 2, said: expect.stringContaining('marked invalid: by hand') })
      await evaluate('--prompt-alias=experiment,production')
      await write(baseline.run, 'log-metric', {
        key: 'errors',
        value: 2,
        timestamp: Date.now() + 1000,
        step: 1,
      })
      expect(await refusal()).toEqual({
        code: 2,
        said: expect.stringContaining('2 of its cases ended in an error'),
      })
    })
    it('when another prompt differs, too', async () => {
      const other = `voice-${prompt}`
      await folder.suite('tone', cases(30, [prompt, other]))
      await register(knowing('one'), knowing('two'))
      for (const template of ['calm', 'loud']) await admin.register({ name: other, template })
      await admin.setAlias(other, 'production', 1, { force: true, reason: 'the start' })
      await admin.setAlias(other, 'experiment', 2)
      expect(await refusal([])).toEqual({
        code: 2,
        said: expect.stringMatching(/not comparable: voice-\S+ differs/),
      })
    })
    it('when the candidate carries a rollout, or is made anew with another text', async () => {
      await folder.suite('tone', cases(30, [prompt]))
      await register(knowing('one'), knowing('two'))
      await both()
      await write('', 'model-versions/set-tag', {
        name: prompt,
        version: '2',
        key: 'promptkeep.rollout.production',
        value: '{"1":50}',
      })
      expect(await refusal()).toEqual({ code: 2, said: expect.stringContaining('carries a rollout') })
      await admin.register({ name: prompt, template: knowing('three') })
      await admin.setAlias(prompt, 'experiment', 3)
      expect(await refusal()).toEqual({
        code: 2,
        said: expect.stringContaining('no run of this suite judged'),
      })
    })
    it('when who judges, or who moves, may not', async () => {
      await folder.suite('tone', cases(60, [prompt]))
      await register(knowing('one'), knowing('two'))
      const noEvaluator = await promote([], {
        ...tokens(),
        PROMPTKEEP_EVALUATOR_TOKEN: server.tokens.promoter,
      })
      expect(noEvaluator).toMatchObject({ code: 2 })
      expect(noEvaluator.promotion.problems.join()).toContain('evaluator')
      await both()
      const unwritten = await promote(['--no-run'], {
        ...tokens(),
        PROMPTKEEP_EVALUATOR_TOKEN: server.tokens.reader,
      })
      expect(unwritten.promotion.problems.join()).toMatch(
        /verdict .*could not be written.*PROMPTKEEP_EVALUATOR_TOKEN/,
      )
      const noPromoter = await promote(['--no-run'], {
        ...tokens(),
        PROMPTKEEP_PROMOTER_TOKEN: server.tokens.evaluator,
      })
      expect(noPromoter).toMatchObject({ code: 2 })
      expect(noPromoter.promotion.problems.join()).toMatch(/nothing was moved: .*PROMPTKEEP_PROMOTER_TOKEN/)
      expect(await production()).toBe(1)
      const one = {
        MLFLOW_TRACKING_URI: server.url,
        MLFLOW_TRACKING_TOKEN: server.tokens.promoter,
        PROMPTKEEP_EVALUATOR_TOKEN: server.tokens.evaluator,
      }
      expect(await promote(['--no-run'], one)).toMatchObject({ code: 0 })
    })
  })

  it('loses a race to whoever moved the alias meanwhile, and tells where it is', async () => {
    await folder.suite('tone', cases(60, [prompt]))
    await register(knowing('one'), knowing('two'), knowing('three'))
    for (const alias of ['experiment,production', 'production']) await evaluate(`--prompt-alias=${alias}`)
    const racing = await promptkeep(folder.cwd, tokens(), ['promote', prompt, '--no-run', '--json'], {
      createRegistry: (options) => {
        const registry = openRegistry(server.url, options.env?.MLFLOW_TRACKING_TOKEN)
        return {
          ...registry,
          async setAlias(...args) {
            await admin.setAlias(prompt, 'production', 2, { force: true, reason: 'somebody else' })
            return registry.setAlias(...args)
          },
        }
      },
    })
    expect(racing.code).toBe(2)
    expect(JSON.parse(racing.out)).toMatchObject({ outcome: 'undecided', current: 2 })
    expect(await lastMove()).toMatchObject({ to: 2, reason: 'somebody else' })
  })

  it('does not move by what an alias said before it was judged', async () => {
    await folder.suite('tone', cases(60, [prompt]))
    await register(knowing('one'), knowing('two'), knowing('three'))
    let judged = 0
    const moved = await promptkeep(folder.cwd, tokens(), ['promote', prompt, '--json'], {
      err: {
        isTty: false,
        write: (text) => {
          if (text.includes('(production)')) judged = 1
        },
      },
      createRegistry: (options) => {
        const registry = openRegistry(server.url, options.env?.MLFLOW_TRACKING_TOKEN)
        return {
          ...registry,
          load: (async (...args: Parameters<Registry['load']>) => {
            if (judged === 1 && args[1]?.alias === 'experiment') {
              judged = 2
              await admin.setAlias(prompt, 'experiment', 2)
            }
            return registry.load(...args)
          }) as Registry['load'],
        }
      },
    })
    expect(moved.code).toBe(2)
    expect(JSON.parse(moved.out).problems.join()).toContain('experiment of')
    expect(await production()).toBe(1)
  })

  it('calls nothing done that is not, whichever request finds nobody', { timeout: 120_000 }, async () => {
    await folder.suite('tone', cases(60, [prompt]))
    await register(knowing('one'), knowing('two'))
    for (const alias of ['experiment,production', 'production']) await evaluate(`--prompt-alias=${alias}`)
    const proxy = await startFailingProxy(server.url)
    try {
      const env = { ...tokens(), MLFLOW_TRACKING_URI: proxy.url }
      const brief = {
        createRegistry: (options: RegistryOptions) => createRegistry({ ...options, timeoutMs: 300 }),
        createAdmin: (options: AdminOptions) => createAdmin({ ...options, timeoutMs: 300 }),
      }
      const run = (...flags: string[]) =>
        promptkeep(folder.cwd, env, ['promote', prompt, '--no-run', '--json', ...flags], brief)
      expect(await run('--dry-run')).toMatchObject({ code: 0 })
      const steps: string[] = []
      for (let nth = 0; ; nth++) {
        proxy.failFrom(nth)
        const { code, out } = await run()
        const isMoved = (await production()) === 2
        expect({ nth, step: proxy.seen[nth], code, isMoved }).toMatchObject({ code: isMoved ? 0 : 2 })
        if (code === 0) break
        expect(JSON.parse(out).outcome).toBe('undecided')
        steps.push(proxy.seen[nth] ?? '')
      }
      const at = (what: string) => steps.findIndex((step) => step.endsWith(what))
      // Written after all that is read about runs, and before the move, which is the last.
      expect(at('runs/search')).toBeGreaterThan(0)
      expect(at('metrics/get-history')).toBeGreaterThan(at('runs/search'))
      expect(at('runs/log-batch')).toBeGreaterThan(at('metrics/get-history'))
      expect(at('promptkeep/1.0/alias')).toBe(steps.length - 1)
    } finally {
      await proxy.stop()
    }
  })

  async function evaluate(...flags: string[]) {
    const env = { MLFLOW_TRACKING_URI: server.url, MLFLOW_TRACKING_TOKEN: server.tokens.evaluator }
    // Its exit code is also about other tests' candidates, which no suite uses.
    const { out } = await promptkeep(folder.cwd, env, ['eval', 'evals', '--json', ...flags])
    const [suite] = (JSON.parse(out) as { suites: [{ verdict: string; run: { id: string } }] }).suites
    expect(suite.verdict).toBe('passed')
    return { run: suite.run.id }
  }

  /** As an admin, by MLflow's routes. */
  async function write(run_id: string, path: string, fields: object): Promise<void> {
    const answer = await ask(server.url, {
      method: 'POST',
      path: `/api/2.0/mlflow/${run_id === '' ? path : `runs/${path}`}`,
      body: JSON.stringify({ ...(run_id === '' ? {} : { run_id }), ...fields }),
      headers: { 'content-type': 'application/json', ...bearer(server.tokens.admin) },
    })
    expect(answer).toMatchObject({ status: 200 })
  }

  async function verdictOf(promotion: Promotion, suite = 0): Promise<string | undefined> {
    const query = [['run_id', promotion.suites[suite]?.run ?? '']] as const
    const { body } = await ask(server.url, {
      method: 'GET',
      path: '/api/2.0/mlflow/runs/get',
      query,
      headers: bearer(server.tokens.reader),
    })
    const { tags } = (body as { run: { data: { tags: { key: string; value: string }[] } } }).run.data
    return tags.find(({ key }) => key === 'promptkeep.verdict')?.value
  }
})
