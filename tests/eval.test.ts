import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRegistry, type Registry } from '@promptkeep/client'
import { createEvalDeps, type EvalOptions, type EvalReport, exitCodeOf, runEval } from '@promptkeep/evals'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type ChatTarget, startChatTarget } from './support/chat-target.ts'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'
import { startRegistry } from './support/registry.ts'

interface Server {
  readonly url: string
  stop(): Promise<void>
}

/** Params and tags of a run, as any MLflow client reads them. */
async function readRun(server: Server, id: string) {
  const response = await fetch(`${server.url}/api/2.0/mlflow/runs/get?run_id=${id}`)
  const { run } = (await response.json()) as {
    run: {
      info: { status: string }
      data: Record<'params' | 'tags' | 'metrics', { key: string; value: string | number }[] | undefined>
    }
  }
  const table = (rows: { key: string; value: string | number }[] = []) =>
    Object.fromEntries(rows.map(({ key, value }) => [key, value]))
  const { params, tags, metrics } = run.data
  return { status: run.info.status, params: table(params), tags: table(tags), metrics: table(metrics) }
}

const CASES = [
  { id: 'hello', input: 'hello', expected: { delegations: [] } },
  { id: 'remember', input: 'remember this', expected: { delegations: ['memory'] } },
]

describe.each([
  { name: 'our server', skip: '', start: (): Promise<Server> => startRegistry() },
  { name: 'real MLflow', skip: mlflowSkip, start: (): Promise<Server> => startMlflow() },
])('an eval run on $name', ({ skip, start }) => {
  describe.skipIf(skip)(skip || 'logs what it judged', () => {
    let server: Server
    let registry: Registry
    let target: ChatTarget
    let folder = ''

    beforeAll(async () => {
      server = await start()
      registry = createRegistry({
        trackingUri: server.url,
        strict: true,
        cacheTtlSeconds: 0,
        timeoutMs: 10_000,
        env: {},
      })
      for (const name of ['base', 'memory', 'weather']) {
        await registry.register({ name, template: `${name} one.` })
        await registry.setAlias(name, 'production', 1)
      }
      target = await startChatTarget(server.url, { base: 'bundled base.', memory: 'bundled memory.' })
      folder = await mkdtemp(join(tmpdir(), 'promptkeep-eval-'))
      await writeFile(join(folder, 'cases.yaml'), JSON.stringify(CASES))
      const suite = {
        name: 'routing',
        dataset: 'cases.yaml',
        target: target.url,
        scorers: ['delegation'],
        threshold: 1,
      }
      await writeFile(join(folder, 'routing.yaml'), JSON.stringify(suite))
    })
    afterAll(async () => {
      await target?.stop()
      await registry?.close()
      await server?.stop()
      await rm(folder, { recursive: true, force: true })
    })

    const run = (options: Partial<EvalOptions> = {}): Promise<EvalReport> =>
      runEval(
        { suite: join(folder, 'routing.yaml'), ...options },
        createEvalDeps({ registry, trackingUri: server.url, env: {} }),
      )

    /** A second version under an alias, gone again when the test ends. */
    async function candidate(name: string, alias: string) {
      const { version } = await registry.register({ name, template: `${name} two.` })
      await registry.setAlias(name, alias, version)
      onTestFinished(async () => {
        const path = `${server.url}/api/2.0/mlflow/registered-models/alias`
        const headers = { 'content-type': 'application/json' }
        await fetch(path, { method: 'DELETE', headers, body: JSON.stringify({ name, alias }) })
      })
      return version
    }

    it('with the version, digest and alias of every prompt it used', async () => {
      const report = await run()
      expect(report).toMatchObject({ verdict: 'passed', reasons: [], metrics: { pass_rate: 1, total: 2 } })
      const base = await registry.load('base', { version: 1 })
      const memory = await registry.load('memory', { version: 1 })
      const { status, params, tags, metrics } = await readRun(server, report.run.id)
      expect(status).toBe('FINISHED')
      expect(params).toEqual({
        suite: 'routing',
        dataset: 'cases',
        dataset_digest: report.dataset.digest,
        target: target.url,
        trials: '1',
        estimand: 'such-cases',
        alias_chain: 'production',
        fingerprint: report.fingerprint,
        'gate.metric': 'pass_rate',
        'gate.direction': 'higher',
        'gate.threshold': '1',
        'gate.margin': '0.1',
        gates: JSON.stringify([{ metric: 'pass_rate', direction: 'higher', threshold: 1, margin: 0.1 }]),
        'prompt.base': 'v1',
        'prompt_digest.base': base.digest,
        'prompt_alias.base': 'production',
        'prompt.memory': 'v1',
        'prompt_digest.memory': memory.digest,
        'prompt_alias.memory': 'production',
        manifest_digest: createHash('sha256')
          .update(await readFile(join(folder, 'routing.yaml')))
          .digest('hex'),
        seed: expect.stringMatching(/^\d+$/),
      })
      expect(JSON.parse(String(tags['mlflow.linkedPrompts']))).toEqual([
        { name: 'base', version: '1' },
        { name: 'memory', version: '1' },
      ])
      expect(tags).toMatchObject({
        suite: 'routing',
        'mlflow.runName': 'routing',
        'mlflow.source.type': 'LOCAL',
      })
      expect(tags).not.toHaveProperty('promptkeep.invalid')
      expect(metrics).toMatchObject({ pass_rate: 1, total: 2, passed: 2, failed: 0, errors: 0 })
    })

    it('on the candidate where there is one, and on production for the rest', async () => {
      const version = await candidate('memory', 'experiment')
      const report = await run({ promptAlias: 'experiment' })
      expect(report.verdict).toBe('passed')
      expect((await readRun(server, report.run.id)).params).toMatchObject({
        alias_chain: 'experiment,production',
        'prompt.memory': `v${version}`,
        'prompt_alias.memory': 'experiment',
        'prompt.base': 'v1',
        'prompt_alias.base': 'production',
      })
    })

    it('has no verdict on a candidate that no case used', async () => {
      const version = await candidate('weather', 'experiment')
      const report = await run({ promptAlias: 'experiment' })
      const reason = `no case used a prompt that has alias experiment (weather v${version})`
      expect(report).toMatchObject({ verdict: 'not-concerned', reasons: [reason] })
      expect(exitCodeOf(report)).toBe(2)
      expect((await readRun(server, report.run.id)).tags['promptkeep.invalid']).toBe(reason)
    })

    it('runs nothing when no prompt has the alias', async () => {
      const runs = await countRuns(server)
      await expect(run({ promptAlias: 'experiment' })).rejects.toMatchObject({
        code: 'CONFIGURATION',
        message: "there is nothing to judge under alias experiment: none of the registry's 3 prompts has it",
      })
      expect(await countRuns(server)).toBe(runs)
    })

    it('does not mix two runs at once with different aliases', async () => {
      const a = await candidate('memory', 'left')
      const b = await candidate('memory', 'right')
      const chains = ['left,production', 'right,production', 'production']
      const reports = await Promise.all(chains.map((promptAlias) => run({ promptAlias })))
      expect(reports.map(({ verdict }) => verdict)).toEqual(['passed', 'passed', 'passed'])
      const logged = await Promise.all(reports.map((report) => readRun(server, report.run.id)))
      expect(logged.map(({ params }) => [params['prompt.memory'], params['prompt_alias.memory']])).toEqual([
        [`v${a}`, 'left'],
        [`v${b}`, 'right'],
        ['v1', 'production'],
      ])
      const outputs = reports.map(({ cases }) => cases[1]?.result?.output)
      expect(outputs).toEqual(['base one. memory two. ', 'base one. memory two. ', 'base one. memory one. '])
    })

    it('has no verdict when an alias moves while it goes on', async () => {
      const { version } = await registry.register({ name: 'base', template: 'base moved.' })
      const serial = {
        name: 'moved',
        dataset: 'cases.yaml',
        target: target.url,
        scorers: ['delegation'],
        threshold: 1,
        concurrency: 1,
      }
      await writeFile(join(folder, 'moved.yaml'), JSON.stringify(serial))
      target.onMessage = async (message) => {
        if (message === 'remember this') await registry.setAlias('base', 'production', version)
      }
      onTestFinished(async () => {
        target.onMessage = () => undefined
        await registry.setAlias('base', 'production', 1)
      })
      const report = await run({ suite: join(folder, 'moved.yaml') })
      const reason = `base changed during the run: v1 in case hello, v${version} in case remember`
      expect(report).toMatchObject({ verdict: 'invalid', reasons: [reason], metrics: { pass_rate: 1 } })
    })
  })
})

async function countRuns(server: Server): Promise<number> {
  const post = async (path: string, body: object) => {
    const response = await fetch(`${server.url}/api/2.0/mlflow/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return (await response.json()) as { experiments?: { experiment_id: string }[]; runs?: object[] }
  }
  const { experiments = [] } = await post('experiments/search', { max_results: 100 })
  const ids = experiments.map(({ experiment_id }) => experiment_id)
  return (await post('runs/search', { experiment_ids: ids, max_results: 1000 })).runs?.length ?? 0
}
