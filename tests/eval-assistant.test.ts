import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRegistry, type Registry } from '@promptkeep/client'
import { silent } from '@promptkeep/client/protocol'
import { createEvalDeps, type EvalOptions, type EvalReport, exitCodeOf, runEval } from '@promptkeep/evals'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { readConfig } from '../apps/assistant/src/config.ts'
import { PROMPT_DEFAULTS } from '../apps/assistant/src/prompt-defaults.ts'
import { start as startAssistant } from '../apps/assistant/src/start.ts'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'
import { startRegistry } from './support/registry.ts'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const SUITES = at('../apps/assistant/evals/demo')
const tone = join(SUITES, 'tone.yaml')
const routing = join(SUITES, 'routing.yaml')

interface Server {
  readonly url: string
  stop(): Promise<void>
}

describe.each([
  { name: 'our server', skip: '', start: (): Promise<Server> => startRegistry() },
  { name: 'real MLflow', skip: mlflowSkip, start: (): Promise<Server> => startMlflow() },
])("the assistant's suites on $name", ({ skip, start }) => {
  describe.skipIf(skip)(skip || 'with the demo model', { timeout: 90_000 }, () => {
    let server: Server
    let registry: Registry

    beforeAll(async () => {
      server = await start()
      const settings = { trackingUri: server.url, env: {}, timeoutMs: 10_000 }
      registry = createRegistry({ ...settings, strict: true, cacheTtlSeconds: 0, defaults: PROMPT_DEFAULTS })
      const { seeded } = await registry.seed()
      expect(seeded).toHaveLength(11)
    })
    afterAll(async () => {
      await registry?.close()
      await server?.stop()
    })

    const run = (options: EvalOptions): Promise<EvalReport> =>
      runEval(options, createEvalDeps({ registry, trackingUri: server.url, env: {} }))

    const paramsOf = async ({ run: { id } }: EvalReport): Promise<Record<string, string>> => {
      const response = await fetch(`${server.url}/api/2.0/mlflow/runs/get?run_id=${id}`)
      const { run } = (await response.json()) as {
        run: { data: { params: { key: string; value: string }[] } }
      }
      return Object.fromEntries(run.data.params.map(({ key, value }) => [key, value]))
    }

    /** The text in production with another tone, under an alias that is gone again when the test ends. */
    async function candidate(name: string, alias: string, tone: string) {
      const before = (await registry.load(name)).template as string
      const template = before.includes('Tone:')
        ? before.replace(/^Tone:.*$/m, `Tone: ${tone}`)
        : `${before}\n\n${tone}`
      const { version } = await registry.register({ name, template })
      await registry.setAlias(name, alias, version)
      onTestFinished(async () => {
        await fetch(`${server.url}/api/2.0/mlflow/registered-models/alias`, {
          method: 'DELETE',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ name, alias }),
        })
      })
      return version
    }

    it('pass, and log every prompt that was used', async () => {
      const report = await run({ suite: routing })
      expect(report).toMatchObject({ verdict: 'passed', reasons: [], model: 'demo', metrics: { errors: 0 } })
      const params = await paramsOf(report)
      const used = ['memory', 'memory-write', 'onboarding', 'orchestrator-base', 'weather']
      for (const name of used) {
        expect(params).toMatchObject({
          [`prompt.${name}`]: 'v1',
          [`prompt_digest.${name}`]: (await registry.load(name, { version: 1 })).digest,
          [`prompt_alias.${name}`]: 'production',
        })
      }
      expect(Object.keys(params).filter((key) => key.startsWith('prompt.'))).toHaveLength(used.length)
      expect((await run({ suite: tone })).verdict).toBe('passed')
    })

    it('judge the one candidate, and production for every other prompt', async () => {
      const version = await candidate('orchestrator-base', 'experiment', 'dry as a biscuit.')
      const report = await run({ suite: tone, promptAlias: 'experiment' })
      expect(report).toMatchObject({ verdict: 'passed', reasons: [] })
      expect(report.cases.every(({ result }) => result?.output.includes('dry as a biscuit.'))).toBe(true)
      const params = await paramsOf(report)
      expect(params).toMatchObject({
        'prompt.orchestrator-base': `v${version}`,
        'prompt_alias.orchestrator-base': 'experiment',
        'prompt.onboarding': 'v1',
        'prompt_alias.onboarding': 'production',
      })
    })

    it('fail a candidate with a worse tone', async () => {
      await candidate('orchestrator-base', 'experiment', 'Great question! Certainly! Feel free to ask.')
      const report = await run({ suite: tone, promptAlias: 'experiment' })
      expect(report).toMatchObject({ verdict: 'failed', reasons: ['pass_rate is below 0.9'] })
    })

    it('say nothing about a candidate that no case uses', async () => {
      const version = await candidate('schedule', 'experiment', 'Be quick.')
      const report = await run({ suite: tone, promptAlias: 'experiment' })
      const reason = `no case used a prompt that has alias experiment (schedule v${version})`
      expect(report).toMatchObject({ verdict: 'not-concerned', reasons: [reason] })
      expect(exitCodeOf(report)).toBe(2)
    })

    it('do not mix when two of them run at once with different aliases', async () => {
      const version = await candidate('orchestrator-base', 'experiment', 'dry as a biscuit.')
      const [a, b] = await Promise.all([
        run({ suite: tone, promptAlias: 'experiment' }),
        run({ suite: tone, promptAlias: 'production' }),
      ])
      expect([a.verdict, b.verdict]).toEqual(['passed', 'passed'])
      const says = (report: EvalReport) =>
        new Set(report.cases.map(({ result }) => result?.output.includes('dry as a biscuit.')))
      expect([says(a), says(b)]).toEqual([new Set([true]), new Set([false])])
      expect(await paramsOf(a)).toMatchObject({ 'prompt.orchestrator-base': `v${version}` })
      expect(await paramsOf(b)).toMatchObject({ 'prompt.orchestrator-base': 'v1' })
    })

    it('have no verdict without a candidate', async () => {
      await expect(run({ suite: tone, promptAlias: 'experiment' })).rejects.toMatchObject({
        code: 'CONFIGURATION',
        message: "there is nothing to judge under alias experiment: none of the registry's 11 prompts has it",
      })
    })

    describe('over HTTP', () => {
      /** The tone suite, pointed at an assistant that serves. */
      async function served(allow: 'true' | 'false') {
        const env = {
          ASSISTANT_PORT: '0',
          ASSISTANT_DATABASE: 'sqlite::memory:',
          MLFLOW_TRACKING_URI: server.url,
          ALLOW_PROMPT_OVERRIDE: allow,
        }
        const deps = { log: silent, env, fetch, now: Date.now, newId: () => crypto.randomUUID() }
        const assistant = await startAssistant(readConfig(env), deps)
        const folder = await mkdtemp(join(tmpdir(), 'promptkeep-eval-'))
        onTestFinished(async () => {
          await assistant.stop()
          await rm(folder, { recursive: true, force: true })
        })
        const text = (await readFile(tone, 'utf8'))
          .replace('../../src/eval-target.ts#chat', `${assistant.url}/chat`)
          .replace('datasets/tone.yaml', join(SUITES, 'datasets', 'tone.yaml'))
        await writeFile(join(folder, 'tone.yaml'), text)
        return join(folder, 'tone.yaml')
      }

      it('judge the same versions through the same door as a user', async () => {
        const suite = await served('true')
        const version = await candidate('orchestrator-base', 'experiment', 'dry as a biscuit.')
        const report = await run({ suite, promptAlias: 'experiment' })
        expect(report).toMatchObject({
          verdict: 'passed',
          reasons: [],
          model: 'demo',
          prompts: {
            'orchestrator-base': { version, alias: 'experiment' },
            onboarding: { version: 1, alias: 'production' },
          },
        })
      })

      it('have no verdict where nobody may choose prompts', async () => {
        const suite = await served('false')
        const report = await run({ suite })
        expect(report.verdict).toBe('invalid')
        expect(report.reasons[0]).toMatch(/^configuration error in case plain-hello: .* answered 403: /)
      })
    })
  })
})

describe('an interrupted eval', { timeout: 90_000 }, () => {
  it('ends its run as killed and exits 2, though the SDK of the agents listens for the signal as well', async () => {
    const server = await startRegistry()
    const registry = createRegistry({ trackingUri: server.url, env: {}, defaults: PROMPT_DEFAULTS })
    const model = createServer()
    onTestFinished(async () => {
      model.closeAllConnections()
      model.close()
      await registry.close()
      await server.stop()
    })
    await registry.seed()
    const asked = new Promise<void>((resolve) => model.once('request', () => resolve())) // and never answered
    await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve))
    const { port } = model.address() as AddressInfo

    const command = spawn(process.execPath, [at('../packages/cli/bin/promptkeep.js'), 'eval', tone], {
      env: {
        PATH: process.env.PATH,
        MLFLOW_TRACKING_URI: server.url,
        OPENAI_API_KEY: 'none',
        OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`,
      },
    })
    onTestFinished(() => void command.kill('SIGKILL'))
    let out = ''
    command.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    const ended = new Promise<number | null>((resolve) => command.once('exit', resolve))
    await asked
    command.kill('SIGINT')

    expect(await ended).toBe(2)
    expect(out).toContain('tone: INVALID\n  ! interrupted\n')
    const id = /run +([0-9a-f]{32})/.exec(out)?.[1]
    const response = await fetch(`${server.url}/api/2.0/mlflow/runs/get?run_id=${id}`)
    const { run } = (await response.json()) as {
      run: { info: { status: string }; data: { tags: { key: string; value: string }[] } }
    }
    expect(run.info.status).toBe('KILLED')
    expect(run.data.tags).toContainEqual({ key: 'promptkeep.invalid', value: 'interrupted' })
  })
})
