import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRegistry, type Registry } from '@promptkeep/client'
import {
  createEvalDeps,
  type EvalDeps,
  type EvalReport,
  findBaseline,
  findRuns,
  loadSuite,
  readEvalRun,
  readScores,
  runSuite,
  scoresOf,
  type Target,
} from '@promptkeep/evals'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { chromiumSkip, launchChromium } from './support/chromium.ts'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'
import { runPython } from './support/python.ts'
import { PYTHON_MS } from './support/python-client.ts'
import { startRegistry } from './support/registry.ts'

interface Server {
  readonly url: string
  stop(): Promise<void>
}

const SUITE = 'warm-greetings'
const CASES = ['hello', 'goodbye', 'thanks']
const GIT = async (args: readonly string[]) => (args[0] === 'rev-parse' ? `${'c0ffee'.repeat(6)}beef\n` : '')

describe.each([
  { name: 'our server', isOurs: true, skip: '', start: (): Promise<Server> => startRegistry() },
  { name: 'real MLflow', isOurs: false, skip: mlflowSkip, start: (): Promise<Server> => startMlflow() },
])('what an eval run leaves on $name', ({ isOurs, skip, start }) => {
  describe.skipIf(skip)(skip || 'can be read back', () => {
    let server: Server
    let registry: Registry
    let deps: EvalDeps
    let folder = ''
    let report: EvalReport

    beforeAll(async () => {
      server = await start()
      const connection = { trackingUri: server.url, strict: true, cacheTtlSeconds: 0, timeoutMs: 10_000 }
      registry = createRegistry({ ...connection, env: {} })
      for (const name of ['greeting', 'closing']) {
        for (const text of ['Be brief.', 'Be warm.', 'Be kind.'])
          await registry.register({ name, template: `${name}: ${text}` })
        await registry.setAlias(name, 'production', 1)
      }
      deps = createEvalDeps({ registry, trackingUri: server.url, env: { USER: 'ada' }, git: GIT })
      folder = await mkdtemp(join(tmpdir(), 'promptkeep-logged-'))
      const cases = CASES.map((id) => ({ id, input: `say ${id}`, expected: { contains: [id] } }))
      await writeFile(join(folder, 'cases.json'), JSON.stringify(cases))
      const suite = { name: SUITE, dataset: 'cases.json', target: 'http://ada:secret@127.0.0.1/chat' }
      await writeFile(
        join(folder, 'suite.yaml'),
        JSON.stringify({ ...suite, scorers: ['contains'], threshold: 0.5, trials: 2 }),
      )
      report = await run()
    }, 120_000)
    afterAll(async () => {
      await registry?.close()
      await server?.stop()
      await rm(folder, { recursive: true, force: true })
    })

    /** The target of these runs: `thanks` goes wrong in its second trial. `onCase` happens in the middle of each. */
    async function run(onCase: (id: string) => Promise<unknown> = async () => {}): Promise<EvalReport> {
      const target: Target = {
        async run({ id }, { promptAlias, trial = 0 }) {
          const set = await registry.loadSet(['greeting', 'closing'], { alias: promptAlias, maxAgeMs: 0 })
          await onCase(id)
          return {
            ...{ output: id === 'thanks' && trial === 1 ? 'no' : `well, ${id}`, messages: [], toolCalls: [] },
            ...{ prompts: set.versions, fingerprint: set.fingerprint, model: 'model-1' },
            usage: { inputTokens: 1, outputTokens: 1, requests: 1 },
          }
        },
      }
      const loaded = await loadSuite({ suite: join(folder, 'suite.yaml') }, deps)
      return runSuite({ ...loaded, target: { open: async () => target } }, deps)
    }

    const get = async (path: string, query: Record<string, string>) =>
      (await (await fetch(`${server.url}/api/2.0/mlflow/${path}?${new URLSearchParams(query)}`)).json()) as {
        metrics: { value: number; step: number; timestamp: number }[]
      }

    it('by its params, tags and metrics', async () => {
      expect(report).toMatchObject({ verdict: 'passed', reasons: [] })
      const {
        params,
        tags,
        metrics,
        status,
        endedAt = 0,
        startedAt,
      } = await deps.tracking.getRun(report.run.id)
      const { digest } = await registry.load('greeting', { version: 1 })
      expect(status).toBe('FINISHED')
      expect(params).toMatchObject({
        ...{ suite: SUITE, dataset: 'cases', dataset_digest: report.dataset.digest, trials: '2' },
        ...{ target: 'http://127.0.0.1/chat', estimand: 'such-cases', alias_chain: 'production' },
        ...{ git_commit: `${'c0ffee'.repeat(6)}beef`, git_dirty: 'false', model: 'model-1' },
        ...{
          'prompt.greeting': 'v1',
          'prompt_digest.greeting': digest,
          'prompt_alias.greeting': 'production',
        },
        fingerprint: report.fingerprint,
      })
      expect(JSON.parse(tags['mlflow.linkedPrompts'] ?? '')).toEqual([
        { name: 'closing', version: '1' },
        { name: 'greeting', version: '1' },
      ])
      expect(tags).toMatchObject({
        ...{ suite: SUITE, 'mlflow.user': 'ada', 'promptkeep.cases.0': CASES.join(',') },
        'mlflow.source.git.commit': params.git_commit,
      })
      expect(tags).not.toHaveProperty('promptkeep.invalid')
      expect(metrics.pass_rate).toBeCloseTo(5 / 6, 12)
      expect(metrics).toMatchObject({ errors: 0, not_run: 0, duration_ms: endedAt - startedAt })
    })

    it('by the history of what every case scored', async () => {
      const { endedAt = 0, ...logged } = await deps.tracking.getRun(report.run.id)
      const { metrics } = await get('metrics/get-history', {
        ...{ run_id: report.run.id, metric_key: 'trial.pass_rate' },
      })
      expect(metrics.map(({ value, step, timestamp }) => [step, timestamp - endedAt, value]).sort()).toEqual([
        ...[
          [0, 0, 1],
          [0, 1, 1],
          [1, 0, 1],
          [1, 1, 1],
        ],
        ...[
          [2, 0, 1],
          [2, 1, 0],
        ],
      ])
      expect(await readScores(deps.tracking, { ...logged, endedAt })).toEqual(scoresOf(report.cases))
    })

    it('by a search, and as the baseline of what it judged', async () => {
      const again = await run()
      const found: string[] = []
      for await (const one of findRuns(deps.tracking, { experiment: deps.experiment, suite: SUITE }))
        found.push(one.id)
      expect(found.slice(0, 2)).toEqual([again.run.id, report.run.id])
      const page = await deps.tracking.findRuns({ experiment: deps.experiment, limit: 1 })
      const next = await deps.tracking.findRuns({
        ...{ experiment: deps.experiment, limit: 1, pageToken: page.nextPageToken },
      })
      expect([...page.runs, ...next.runs].map(({ id }) => id)).toEqual([again.run.id, report.run.id])
      const { digest } = await registry.load('greeting', { version: 1 })
      const wanted = {
        ...{ experiment: deps.experiment, suite: SUITE, datasetDigest: report.dataset.digest },
        prompt: 'greeting',
      }
      expect(await findBaseline(deps.tracking, { ...wanted, digest })).toMatchObject({ id: again.run.id })
      expect(await findBaseline(deps.tracking, { ...wanted, digest: 'f'.repeat(64) })).toBeUndefined()
      expect(readEvalRun(await deps.tracking.getRun(report.run.id))).toMatchObject({
        ...{ suite: SUITE, isComplete: true, missing: [], trials: 2, isGitDirty: false },
        prompts: { greeting: { version: 1, digest, alias: 'production' } },
      })
    })

    it('says when there is no such run', async () => {
      await expect(deps.tracking.getRun('f'.repeat(32))).rejects.toMatchObject({
        code: 'CONFIGURATION',
        message: `the tracking server has no run ${'f'.repeat(32)}`,
      })
      expect(await deps.tracking.metricHistory(report.run.id, 'none')).toEqual([])
      expect(await deps.tracking.findRuns({ experiment: 'no such experiment' })).toEqual({ runs: [] })
    })

    it('of thousands of points', async () => {
      const written = deps.tracking.openRun((await run()).run)
      const points = Array.from({ length: 2500 }, (_, step) => ({
        ...{ key: 'trial.many', value: step / 2500, step, timestamp: 1_700_000_000_000 + (step % 3) },
      }))
      await written.logPoints(points)
      const history = await deps.tracking.metricHistory(written.id, 'trial.many')
      expect(history).toHaveLength(2500)
      expect(new Map(history.map(({ step, value }) => [step, value]))).toEqual(
        new Map(points.map(({ step, value }) => [step, value])),
      )
    })

    it('marks what was swapped while it went on', async () => {
      onTestFinished(async () => void (await registry.setAlias('closing', 'production', 1)))
      const moved = await run((id) => registry.setAlias('closing', 'production', id === 'thanks' ? 2 : 1))
      expect(moved.verdict).toBe('invalid')
      const { tags } = await deps.tracking.getRun(moved.run.id)
      expect(tags['promptkeep.invalid']).toMatch(/^closing changed during the run: /)
    })

    it('marks a move that no case saw, when somebody can know of it', async () => {
      let moves = 0
      const back = await run(async () => {
        if (moves++ > 0) return
        await registry.setAlias('closing', 'production', 2)
        await registry.setAlias('closing', 'production', 1)
      })
      const unseen = back.cases.every(({ result }) => result?.prompts.closing?.version === 1)
      if (isOurs) {
        expect(back.verdict).toBe('invalid')
        expect(back.reasons.join()).toMatch(/closing changed during the run: /)
        expect(back.notes).toEqual([])
      } else {
        expect(back.verdict).toBe(unseen ? 'passed' : 'invalid')
        expect(back.notes).toEqual([
          expect.stringContaining('keeps no log of changes (stock MLflow does not)'),
        ])
      }
    })

    if (isOurs)
      it('without a table, for this server takes no artifacts', async () => {
        const { tags } = await deps.tracking.getRun(report.run.id)
        expect(tags).not.toHaveProperty('mlflow.loggedArtifacts')
        expect(await deps.tracking.openRun(report.run).logArtifact('notes.txt', 'hello')).toBe(false)
      })

    if (!isOurs) {
      it(
        "with a table that MLflow's own client loads",
        async () => {
          const { columns, rows } = await runPython<{ columns: string[]; rows: unknown[][] }>(
            `
import mlflow
table = mlflow.load_table("cases.json", run_ids=["${report.run.id}"])
answer({"columns": list(table.columns), "rows": table.astype(object).where(table.notna(), None).values.tolist()})
`,
            { MLFLOW_TRACKING_URI: server.url, MLFLOW_EXPERIMENT_NAME: deps.experiment },
            { timeoutMs: PYTHON_MS },
          )
          expect(columns).toEqual([
            ...['id', 'trial', 'status', 'input', 'output', 'error', 'score.contains', 'reason.contains'],
            ...['latency_ms', 'cost_usd'],
          ])
          expect(rows).toHaveLength(6)
          expect(rows.find(([id, trial]) => id === 'thanks' && trial === 1)?.slice(0, 7)).toEqual([
            ...['thanks', 1, 'failed', 'say thanks', 'no', null, 0],
          ])
        },
        PYTHON_MS,
      )

      it.skipIf(chromiumSkip)(
        `on the page of the run ${chromiumSkip}`,
        async () => {
          const browser = await launchChromium()
          onTestFinished(() => browser.close())
          const page = await browser.newPage({ viewport: { width: 1400, height: 2000 } })
          const { id, experimentId } = report.run
          await page.goto(`${server.url}/#/experiments/${experimentId}/runs/${id}`)
          const shown = () => textOf(page)
          await expect.poll(shown, { timeout: 60_000 }).toContain('prompt_digest.greeting')
          await expect.poll(shown, { timeout: 30_000 }).toMatch(/greeting\s*\(?v1\)?/)
          expect(await shown()).toContain('dataset_digest')
          const shots = process.env.PAGE_SCREENSHOTS ?? folder
          const image = await page.screenshot({ path: join(shots, 'mlflow-run.png'), fullPage: true })
          expect(image.length).toBeGreaterThan(10_000)
        },
        120_000,
      )
    }
  })
})

const textOf = async (page: Page): Promise<string> => (await page.locator('body').textContent()) ?? ''
