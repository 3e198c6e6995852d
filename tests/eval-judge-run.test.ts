import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRegistry, type Registry } from '@promptkeep/client'
import { parsePromptFile } from '@promptkeep/client/files'
import { createEvalDeps, type EvalOptions, type EvalReport, exitCodeOf, runEval } from '@promptkeep/evals'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { type ModelEndpoint, type Respond, startModelEndpoint } from '../apps/assistant/src/model-endpoint.ts'
import { type ChatTarget, startChatTarget } from './support/chat-target.ts'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'
import { startRegistry } from './support/registry.ts'

interface Server {
  readonly url: string
  stop(): Promise<void>
}

const file = new URL('../packages/evals/prompts/eval-judge.md', import.meta.url)
const CASES = [
  { id: 'one', input: 'hello' },
  { id: 'two', input: 'remember this', expected: { judge: { reference: 'It is kept.' } } },
]
const SUITE = {
  name: 'opinions',
  dataset: 'cases.yaml',
  scorers: [{ judge: { rubric: 'It greets.' } }],
  gates: [{ metric: 'score.judge', threshold: 0.6 }],
  retries: 0,
}

describe.each([
  { name: 'our server', skip: '', start: (): Promise<Server> => startRegistry() },
  { name: 'real MLflow', skip: mlflowSkip, start: (): Promise<Server> => startMlflow() },
])('a suite with a judge on $name', ({ skip, start }) => {
  describe.skipIf(skip)(skip || 'knows which judge it was', { timeout: 60_000 }, () => {
    let server: Server
    let registry: Registry
    let target: ChatTarget
    let model: ModelEndpoint
    let respond: Respond
    let folder = ''

    beforeAll(async () => {
      server = await start()
      const settings = { trackingUri: server.url, strict: true, cacheTtlSeconds: 0, env: {} }
      registry = createRegistry({ ...settings, timeoutMs: 10_000 })
      const {
        name,
        template,
        modelConfig = {},
      } = parsePromptFile(await readFile(file, 'utf8'), 'eval-judge.md')
      await registry.register({ name, template, modelConfig })
      await registry.setAlias(name, 'production', 1)
      for (const one of ['base', 'memory']) {
        await registry.register({ name: one, template: `${one} one.` })
        await registry.setAlias(one, 'production', 1)
      }
      target = await startChatTarget(server.url)
      model = await startModelEndpoint({ respond: (request) => respond(request), record: true })
      folder = await mkdtemp(join(tmpdir(), 'promptkeep-judge-'))
      await writeFile(join(folder, 'cases.yaml'), JSON.stringify(CASES))
      await writeFile(join(folder, 'suite.yaml'), JSON.stringify({ ...SUITE, target: target.url }))
    })
    afterAll(async () => {
      await model?.close()
      await target?.stop()
      await registry?.close()
      await server?.stop()
      await rm(folder, { recursive: true, force: true })
    })
    beforeEach(() => {
      // The first seeds like it less than the others.
      respond = ({ body }) => opinion(Number(body.seed) % 2 === 0 ? 0.8 : 0.6)
    })

    const opinion = (score: number) => ({ content: JSON.stringify({ reason: 'so it is', score }) })

    const run = (options: Partial<EvalOptions> = {}, url = model.url): Promise<EvalReport> => {
      const env = { OPENAI_BASE_URL: url, OPENAI_API_KEY: 'none' }
      const deps = createEvalDeps({ registry, trackingUri: server.url, env })
      return runEval({ suite: join(folder, 'suite.yaml'), judgeModel: 'judge-1', ...options }, deps)
    }

    async function logged({ run: { id } }: EvalReport) {
      const response = await fetch(`${server.url}/api/2.0/mlflow/runs/get?run_id=${id}`)
      const { run } = (await response.json()) as {
        run: { data: Record<'params' | 'tags' | 'metrics', { key: string; value: string | number }[]> }
      }
      const { params, tags, metrics } = run.data
      return Object.fromEntries([...params, ...tags, ...metrics].map(({ key, value }) => [key, value]))
    }

    it('and logs its model, its prompt, and how far its draws agreed', async () => {
      const report = await run()
      expect(report).toMatchObject({ verdict: 'passed', reasons: [], judgeModel: 'judge-1' })
      const { digest } = await registry.load('eval-judge')
      const run1 = await logged(report)
      expect(run1).toMatchObject({
        judge_model: 'judge-1',
        'judge_prompt.eval-judge': 'v1',
        'judge_digest.eval-judge': digest,
      })
      expect(run1.judge_agreement).toBeGreaterThanOrEqual(0.8 - 1e-9)
      // Of the prompts that were judged it is none.
      expect(Object.keys(report.prompts).sort()).toEqual(['base', 'memory'])
      const shown = model.requests.map(({ body }) => String(body.messages.at(-1)?.content))
      expect(shown.filter((text) => text.includes('It is kept.'))).toHaveLength(2)
    })

    it('fails its gate by the mean of the scores', async () => {
      respond = () => opinion(0.3)
      const report = await run()
      expect(report).toMatchObject({
        verdict: 'failed',
        metrics: { 'score.judge': 0.3, pass_rate: 0, errors: 0 },
      })
      expect(exitCodeOf(report)).toBe(1)
    })

    it.each([
      { what: 'says nothing that is an opinion', reply: { content: 'Fine!' }, says: 'is no opinion' },
      { what: 'refuses the key', reply: { status: 401, message: 'no' }, says: 'refuses OPENAI_API_KEY' },
      { what: 'is away', reply: { status: 503, message: 'down' }, says: 'answered 503' },
    ])('has no verdict when its judge $what', async ({ reply, says }) => {
      respond = () => reply
      const report = await run()
      expect(report.verdict).toBe('invalid')
      expect(report.reasons[0]).toContain(says)
      expect(exitCodeOf(report)).toBe(2)
      expect((await logged(report))['promptkeep.invalid']).toContain(says)
    })

    it('is no evidence when the alias of its judge moved while it ran', async () => {
      onTestFinished(async () => void (await registry.setAlias('eval-judge', 'production', 1)))
      const template = 'Judge by {{ rubric }}: {{ output }} {{ expected }}'
      const { version } = await registry.register({ name: 'eval-judge', template })
      let isMoved = false
      respond = async () => {
        if (!isMoved) {
          isMoved = true
          await registry.setAlias('eval-judge', 'production', version)
        }
        return opinion(1)
      }
      const report = await run()
      expect(report.verdict).toBe('invalid')
      expect(report.reasons.join()).toContain('eval-judge')
      expect(exitCodeOf(report)).toBe(2)
    })

    it('does not begin without a model for it', async () => {
      const before = model.requests.length
      await expect(run({ judgeModel: undefined })).rejects.toMatchObject({
        code: 'CONFIGURATION',
        message: expect.stringContaining('--judge-model'),
      })
      expect(model.requests).toHaveLength(before)
    })

    it('says how to register the prompt of its judge where there is none', async () => {
      const path = join(folder, 'other.yaml')
      const scorers = [{ judge: { rubric: 'It greets.', prompt: 'tone-judge' } }]
      await writeFile(path, JSON.stringify({ ...SUITE, target: target.url, scorers }))
      let asked = 0
      target.onMessage = () => void asked++
      await expect(run({ suite: path })).rejects.toMatchObject({
        code: 'CONFIGURATION',
        message: expect.stringContaining(
          'promptkeep register tone-judge --file tone-judge.md --alias production',
        ),
      })
      expect(asked).toBe(0)
    })
  })
})
