import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Registry } from '@promptkeep/client'
import { type Check, openEvalRuns, type RunComparison, type SuiteTrend } from '@promptkeep/evals'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { HOUR_MS, passRates, type WrittenRun, writeRun } from '../packages/evals/src/written-runs.fixture.ts'
import { startFailingProxy } from './support/failing-proxy.ts'
import { freePort } from './support/free-port.ts'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'
import {
  cases,
  createPromotionFolder,
  knowing,
  openRegistry,
  type PromotionFolder,
  promptkeep,
  TOPICS,
} from './support/promotion.ts'
import { startRegistry } from './support/registry.ts'
import { startTokenRegistry } from './support/token-registry.ts'

interface Server {
  readonly url: string
  stop(): Promise<void>
}

let folder: PromotionFolder
beforeEach(async () => {
  folder = await createPromotionFolder()
})
afterEach(() => folder.remove())

/** What a command said, as one line: where it breaks lines is not the question. */
const flat = ({ out, err }: { readonly out: string; readonly err: string }): string =>
  `${out} ${err}`.replace(/\s+/g, ' ')

const ask = (url: string, args: readonly string[], experiment = 'evals') =>
  promptkeep(folder.cwd, { MLFLOW_TRACKING_URI: url, MLFLOW_EXPERIMENT_NAME: experiment }, args)

describe.each([
  { name: 'our server', isOurs: true, skip: '', start: (): Promise<Server> => startRegistry() },
  { name: 'real MLflow', isOurs: false, skip: mlflowSkip, start: (): Promise<Server> => startMlflow() },
])('runs of a suite, told and judged on $name', ({ isOurs, skip, start }) => {
  describe.skipIf(skip)(skip || 'by trend, compare and check', () => {
    let server: Server
    let registry: Registry
    beforeAll(async () => {
      server = await start()
      registry = openRegistry(server.url)
    }, 120_000)
    afterAll(async () => {
      await registry?.close()
      await server?.stop()
    })

    const json = async <T>(...args: string[]): Promise<{ code: number; said: T }> => {
      const { code, out, err } = await ask(server.url, [...args, '--json'])
      if (out === '') throw new Error(`${code}: ${err}`)
      return { code, said: JSON.parse(out) as T }
    }

    it('from the first run to a candidate that is worse', async () => {
      const prompt = 'support'
      await folder.suite('tone', cases(60, [prompt]))
      const evaluate = async (alias: string) => {
        const ran = await ask(server.url, ['eval', 'evals/tone.yaml', '--prompt-alias', alias])
        expect(`${ran.code} ${ran.err}`).toMatch(/^[01] /)
      }
      await registry.register({ name: prompt, template: knowing('one') })
      await registry.setAlias(prompt, 'production', 1)

      expect(await ask(server.url, ['check'])).toMatchObject({
        code: 2,
        out: expect.stringContaining('promptkeep eval evals/tone.yaml --prompt-alias production'),
      })
      await evaluate('production')
      const inPlace = await ask(server.url, ['check'])
      expect(inPlace).toMatchObject({ code: 0, out: expect.stringContaining('check of production: PASS') })
      expect(inPlace.out.includes('this registry is stock MLflow')).toBe(!isOurs)

      await registry.register({ name: prompt, template: knowing('two') })
      await registry.setAlias(prompt, 'experiment', 2)
      const unjudged = await json<Check>('check')
      expect(unjudged).toMatchObject({
        code: 2,
        said: {
          outcome: 'undecided',
          advice: ['promptkeep eval evals/tone.yaml --prompt-alias experiment,production'],
        },
      })
      await evaluate('experiment')
      const judged = await json<Check>('check')
      expect(judged).toMatchObject({
        code: 0,
        said: { checked: [{ prompt, candidate: { version: 2 }, baseline: { version: 1 }, outcome: 'pass' }] },
      })

      await registry.register({ name: prompt, template: knowing('three', TOPICS.slice(1)) })
      await registry.setAlias(prompt, 'experiment', 3)
      const moved = await ask(server.url, ['check', 'tone'])
      expect(moved).toMatchObject({ code: 2, out: expect.stringContaining('the newest run of experiment') })
      await evaluate('experiment')
      const worse = await json<Check>('check', 'evals/tone.yaml', '--prompt', prompt)
      expect(worse).toMatchObject({ code: 1, said: { outcome: 'fail' } })
      expect(worse.said.checked[0]?.suites[0]?.worse).toHaveLength(10)

      const compared = await json<RunComparison>('compare', 'latest', 'previous', '--suite', 'tone')
      expect(compared).toMatchObject({
        code: 1,
        said: { outcome: 'fail', problems: [], prompts: [{ prompt, from: 2, to: 3, isOtherText: true }] },
      })
      expect(compared.said.cases.filter(({ metric }) => metric === 'pass_rate')).toHaveLength(10)
      expect(compared.said.metrics.pass_rate).toMatchObject({ worse: 10, better: 0, same: 50 })

      const { said } = await json<{ suites: SuiteTrend[] }>('trend', 'tone', '--prompt', prompt)
      expect(said.suites[0]?.runs.map(({ changed }) => changed.map(({ from, to }) => [from, to]))).toEqual([
        [[2, 3]],
        [[1, 2]],
        [],
      ])
      const text = await ask(server.url, ['trend', '--alias', 'experiment'])
      expect(text).toMatchObject({ code: 0, err: '', out: expect.stringContaining('support v2 -> v3') })
      expect(Math.max(...text.out.split('\n').map((line) => [...line].length))).toBeLessThanOrEqual(80)
    }, 120_000)

    it('a hundred runs and more, page by page', async () => {
      const { tracking } = openEvalRuns({ trackingUri: server.url, env: {} })
      const scores = { pass_rate: { only: [1] } }
      for (let i = 0; i < 105; i++)
        await writeRun(tracking, { experiment: 'many', scores, startedAt: HOUR_MS + i * 1000 })
      const { code, out } = await ask(server.url, ['trend', '--limit', '104', '--json'], 'many')
      const [trend] = (JSON.parse(out) as { suites: SuiteTrend[] }).suites
      expect({ code, shown: trend?.runs.length, hasMore: trend?.hasMore }).toEqual({
        ...{ code: 0, shown: 104, hasMore: true },
      })
      const starts = trend?.runs.map(({ run }) => run.startedAt) ?? []
      expect(starts).toEqual([...starts].sort((a, b) => b - a))
      const oldest = trend?.runs.at(-1)?.run.id ?? ''
      const found = await ask(
        server.url,
        ['compare', 'latest', oldest.slice(0, 12), '--suite', 'tone', '--json'],
        'many',
      )
      expect(JSON.parse(found.out)).toMatchObject({ outcome: 'inconclusive', baseline: { id: oldest } })
    }, 60_000)
  })
})

describe('every way in which trend, compare and check cannot tell', () => {
  let server: Server
  let registry: Registry
  let experiment = ''
  let count = 0
  let digests: Record<'v1' | 'v2', string>
  beforeAll(async () => {
    server = await startRegistry()
    registry = openRegistry(server.url)
    const [v1, v2] = [
      await registry.register({ name: 'memory', template: 'one' }),
      await registry.register({ name: 'memory', template: 'two' }),
    ]
    digests = { v1: v1.digest, v2: v2.digest }
    await registry.setAlias('memory', 'production', 1)
    await registry.setAlias('memory', 'experiment', 2)
  })
  afterAll(async () => {
    await registry?.close()
    await server?.stop()
  })
  beforeEach(() => {
    experiment = `evals-${++count}`
  })

  const memory = (version: 1 | 2, alias: string) => ({
    memory: { version, digest: digests[`v${version}`], alias },
  })
  /** Logs a run of an hour ago. */
  async function write(written: WrittenRun = {}): Promise<string> {
    const { tracking } = openEvalRuns({ trackingUri: server.url, env: {} })
    const startedAt = Date.now() - HOUR_MS
    return writeRun(tracking, { experiment, startedAt, prompts: memory(1, 'production'), ...written })
  }
  const candidate = (written: WrittenRun = {}): Promise<string> =>
    write({
      startedAt: Date.now() - HOUR_MS / 2,
      prompts: memory(2, 'experiment'),
      ...written,
      params: { alias_chain: 'experiment,production', ...written.params },
    })
  const run = (...args: string[]) => ask(server.url, args, experiment)

  it('says no such thing of a good candidate', async () => {
    const [baseline, id] = [await write(), await candidate()]
    expect(await run('compare', id, baseline)).toMatchObject({ code: 0, err: '' })
    expect(await run('compare', id.slice(0, 8), 'previous')).toMatchObject({ code: 0 })
    expect(await run('check')).toMatchObject({ code: 0, err: '' })
    expect(await run('trend')).toMatchObject({ code: 0, err: '' })
  })

  it.each<{
    rule: string
    written: WrittenRun
    compare: RegExp
    check: RegExp
    trend: RegExp
    code?: number
  }>([
    {
      rule: 'a shard',
      written: { tags: { 'promptkeep.shard': '1/3' } },
      ...{ compare: /it is shard 1\/3/, check: /it is shard 1\/3/, trend: /shard 1\/3/ },
    },
    {
      rule: 'marked invalid',
      written: { tags: { 'promptkeep.invalid': 'memory was moved' } },
      ...{
        compare: /invalid: memory was moved/,
        check: /invalid: memory was moved/,
        trend: /invalid .*memory was moved/,
      },
    },
    {
      rule: 'killed',
      written: { status: 'KILLED' },
      compare: /it is KILLED/,
      check: /it is KILLED/,
      trend: /killed/,
    },
    {
      rule: 'failed',
      written: { status: 'FAILED' },
      compare: /it is FAILED/,
      check: /it is FAILED/,
      trend: /failed/,
    },
    {
      rule: 'running',
      written: { status: 'RUNNING' },
      compare: /it is RUNNING/,
      check: /it is RUNNING/,
      trend: /running/,
    },
    {
      rule: 'with errors',
      written: { metrics: { errors: 2 } },
      ...{
        compare: /2 of its cases ended in an error/,
        check: /2 of its cases ended in an error/,
        trend: /incomplete/,
      },
    },
    {
      rule: 'on another dataset',
      written: { params: { dataset_digest: 'dataset-2' } },
      ...{
        compare: /dataset_digest differs/,
        check: /no baseline run of v1|another dataset/,
        trend: /not compared with the runs before/,
      },
    },
    {
      rule: 'by another judge',
      written: { params: { judge_model: 'j' } },
      ...{
        compare: /judge_model differs/,
        check: /not comparable: judge_model differs/,
        trend: /memory v1 -> v2/,
      },
    },
    {
      rule: 'by another model',
      written: { params: { model: 'model-2' } },
      ...{
        compare: /model differs/,
        check: /not comparable: model differs/,
        trend: /model model-1 -> model-2/,
      },
    },
    {
      rule: 'of too few cases',
      written: { scores: passRates(0, 12) },
      ...{
        compare: /INCONCLUSIVE|one of the runs says nothing/,
        check: /says nothing of|INCONCLUSIVE/,
        trend: /memory v1 -> v2/,
      },
    },
    {
      rule: 'without scores by case',
      written: { scores: {} },
      ...{
        compare: /does not say what each case scored/,
        check: /does not say the suite's gates/,
        trend: /tone/,
      },
    },
    {
      rule: 'without its gates',
      written: { params: { gates: null, 'gate.metric': null } },
      ...{
        compare: /does not say its suite's gates/,
        check: /does not say the suite's gates/,
        trend: /tone/,
      },
    },
  ])(
    'a run $rule: shown by trend, and no evidence to the others',
    async ({ written, compare, check, trend }) => {
      const [baseline, id] = [await write(), await candidate(written)]
      for (const [args, want, code] of [
        [['compare', id, baseline], compare, 2],
        [['check'], check, 2],
        [['trend'], trend, 0],
      ] as const) {
        const ran = await run(...args)
        expect({ args, code: ran.code }).toEqual({ args, code })
        expect(flat(ran)).toMatch(want)
      }
    },
  )

  it('check: stale, without a baseline, of a version that the alias has left', async () => {
    const check = async (...flags: string[]) => {
      const ran = await run('check', ...flags)
      return `${ran.code} ${flat(ran)}`
    }
    await candidate()
    expect(await check()).toMatch(/^2 .*no baseline run of v1/)
    await write()
    expect(await check()).toMatch(/^0 /)
    expect(await check('--max-age', '10m')).toMatch(/^2 .*it is stale/)
    expect(await check('--alias', 'production')).toMatch(/^0 /)
    const { version } = await registry.register({ name: 'memory', template: `moved on ${experiment}` })
    await registry.setAlias('memory', 'experiment', version)
    try {
      const said = await check()
      expect(said).toMatch(/^2 /)
      expect(said).toContain(
        `no run of this suite judged memory v${version}; the newest run of experiment judged v2`,
      )
    } finally {
      await registry.setAlias('memory', 'experiment', 2)
    }
  })

  it('check: a dataset whose file was changed since the run', async () => {
    await folder.suite('tone', cases(60))
    const [suite, dataset] = ['tone.yaml', 'tone.json'].map((name) => join(folder.cwd, 'evals', name))
    await writeFile(dataset ?? '', JSON.stringify(cases(61)))
    await write()
    await candidate()
    const { code, out } = await run('check')
    expect({ code, out: out.replace(/\s+/g, ' ') }).toEqual({
      code: 2,
      out: expect.stringContaining("it used another dataset (dataset_digest dataset-1; the manifest's is"),
    })
    expect(out).toContain('promptkeep eval evals/tone.yaml --prompt-alias experiment,production')
    await writeFile(suite ?? '', 'name: [')
    expect(await run('check')).toMatchObject({ code: 2, err: expect.stringContaining('tone.yaml:1') })
  })

  it('compare: a run of another program', async () => {
    const id = await write({ params: { suite: null } })
    expect(await run('compare', id, 'previous')).toMatchObject({
      code: 2,
      err: expect.stringContaining('no param suite'),
    })
    expect(await run('trend')).toMatchObject({ code: 2, err: expect.stringContaining('there are no runs') })
  })

  it.each([
    { args: ['trend'], want: 'there are no runs in the MLflow experiment evals-' },
    { args: ['trend', 'nothing'], want: 'there are no runs of nothing in' },
    { args: ['trend', '--limit', '0'], want: '--limit must be a whole number from 1 to 1000' },
    { args: ['trend', '--prompt', 'a b'], want: 'must be letters, digits' },
    { args: ['trend', '--alias', 'a b'], want: '--alias must be' },
    { args: ['trend', '--experiment', ''], want: '--experiment must be the name' },
    { args: ['trend', "it's"], want: 'it holds a quote' },
    { args: ['trend', '--tracking-uri', 'ftp://x'], want: '--tracking-uri must be' },
    { args: ['compare', 'latest'], want: "missing required argument 'baseline'" },
    { args: ['compare', 'latest', 'previous'], want: 'name the suite (--suite)' },
    { args: ['compare', 'latest', 'previous', '--suite', 'tone'], want: 'there is no complete run of tone' },
    { args: ['compare', 'f'.repeat(32), 'previous'], want: 'f'.repeat(32) },
    { args: ['compare', 'abc', 'previous'], want: 'abc is too short' },
    { args: ['compare', 'deadbeef', 'previous'], want: 'has an id that starts with deadbeef' },
    { args: ['compare', '../x', 'previous'], want: 'a run is named by its id' },
    {
      args: ['compare', 'latest', 'previous', '--margin', '1'],
      want: '--margin must be a number above 0 and below 1',
    },
    {
      args: ['compare', 'latest', 'previous', '--across', 'judge'],
      want: '--across must be one or more of model',
    },
    { args: ['check'], want: 'there are no runs in the MLflow experiment evals-' },
    { args: ['check', 'nothing'], want: 'nothing: there is no complete run of this suite' },
    { args: ['check', 'nothing.yaml'], want: 'nothing.yaml cannot be read' },
    { args: ['check', '--evals', 'nowhere'], want: 'the folder of suites nowhere cannot be read' },
    {
      args: ['check', '--prompt', 'nobody', '--alias', 'experiment', '--suite'],
      want: "unknown option '--suite'",
    },
    { args: ['check', 'x', '--prompt', 'nobody'], want: 'the registry has no prompt nobody' },
    { args: ['check', 'x', '--alias', 'canary'], want: 'there is nothing to check under alias canary' },
    { args: ['check', '--max-age', 'soon'], want: '--max-age must be a time' },
    { args: ['check', '--alias', '1 2'], want: '--alias must be' },
  ])('$args is exit 2: $want', async ({ args, want }) => {
    const { code, out, err } = await run(...args)
    expect({ code, said: `${out}${err}` }).toEqual({ code: 2, said: expect.stringContaining(want) })
  })

  it.each([['trend'], ['compare', 'latest', 'previous', '--suite', 'tone'], ['check', 'tone']])(
    'nobody listens: %s',
    async (...args) => {
      const { code, err } = await ask(`http://127.0.0.1:${await freePort()}`, args)
      expect({ code, err }).toEqual({
        code: 2,
        err: expect.stringContaining('Start a registry with: promptkeep serve'),
      })
    },
    60_000,
  )

  it('a server that wants a token: without one, and with a wrong one', async () => {
    const guarded = await startTokenRegistry()
    try {
      for (const token of [undefined, 'pk_wrong'])
        for (const args of [
          ['trend'],
          ['compare', 'latest', 'previous', '--suite', 'tone'],
          ['check', 'tone'],
        ]) {
          const env = { MLFLOW_TRACKING_URI: guarded.url, ...(token && { MLFLOW_TRACKING_TOKEN: token }) }
          const { code, out, err } = await promptkeep(folder.cwd, env, args)
          expect({ args, code, out }).toEqual({ args, code: 2, out: '' })
          expect(err).toMatch(/MLFLOW_TRACKING_TOKEN/)
        }
      const reader = { MLFLOW_TRACKING_URI: guarded.url, MLFLOW_TRACKING_TOKEN: guarded.tokens.reader }
      expect(await promptkeep(folder.cwd, reader, ['trend'])).toMatchObject({
        err: expect.stringContaining('there are no runs'),
      })
    } finally {
      await guarded.stop()
    }
  })

  it.each([
    { args: ['trend'] },
    { args: ['compare', 'latest', 'previous', '--suite', 'tone'] },
    { args: ['check', 'tone'] },
  ])(
    'an outage at each request of $args is exit 2',
    async ({ args }) => {
      await write()
      await candidate()
      const proxy = await startFailingProxy(server.url)
      try {
        proxy.failFrom(Number.POSITIVE_INFINITY)
        expect(await ask(proxy.url, args, experiment)).toMatchObject({ code: 0 })
        const requests = proxy.seen.length
        expect(requests).toBeGreaterThan(1)
        for (let nth = 0; nth < requests; nth++) {
          proxy.failFrom(nth)
          const { code, out, err } = await ask(proxy.url, args, experiment)
          expect({ nth, code, out }).toEqual({ nth, code: 2, out: '' })
          expect(err).toMatch(/^error: .*(cannot be|fetch|answer)/)
        }
      } finally {
        await proxy.stop()
      }
    },
    180_000,
  )
})
