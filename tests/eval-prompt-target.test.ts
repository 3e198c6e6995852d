import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRegistry, type Registry } from '@promptkeep/client'
import { createEvalDeps, type EvalOptions, type EvalReport, exitCodeOf, runEval } from '@promptkeep/evals'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ModelEndpoint, type Respond, startModelEndpoint } from '../apps/assistant/src/model-endpoint.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

const CHAT = [
  { role: 'system', content: 'You live in {{ city }}.' },
  { role: 'user', content: 'Say: {{ input }}' },
]
const FORMAT = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
}

describe('a prompt and a model as target', { timeout: 60_000 }, () => {
  let server: TestRegistry
  let registry: Registry
  let model: ModelEndpoint
  let respond: Respond
  let folder = ''

  beforeAll(async () => {
    server = await startRegistry()
    const settings = { trackingUri: server.url, strict: true, cacheTtlSeconds: 0, env: {} }
    registry = createRegistry({ ...settings, timeoutMs: 10_000 })
    const modelConfig = { model_name: 'own-model', temperature: 0.3, max_tokens: 50 }
    await registry.register({ name: 'chat', template: CHAT, modelConfig })
    await registry.register({ name: 'plain', template: 'Be brief in {{ city }}.', modelConfig })
    await registry.register({
      name: 'plain',
      template: 'Be briefer in {{ city }}, {{ user.name }}.',
      modelConfig,
    })
    await registry.register({
      name: 'where',
      template: 'Where? {{ input }}',
      modelConfig,
      responseFormat: FORMAT,
    })
    await registry.register({ name: 'no-model', template: 'Be brief.' })
    for (const name of ['chat', 'plain', 'where', 'no-model']) await registry.setAlias(name, 'production', 1)
    await registry.setAlias('plain', 'experiment', 2)
    model = await startModelEndpoint({ respond: (request) => respond(request), record: true })
    folder = await mkdtemp(join(tmpdir(), 'promptkeep-prompt-'))
  })
  afterAll(async () => {
    await model?.close()
    await registry?.close()
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  })
  beforeEach(() => {
    respond = ({ body }) => ({ content: `answer ${body.messages.length}` })
  })

  interface Asked extends Partial<EvalOptions> {
    readonly target: object
    readonly cases: readonly object[]
    readonly scorers?: readonly unknown[]
    readonly env?: Readonly<Record<string, string>>
  }
  async function run({ target, cases, scorers, env, ...options }: Asked): Promise<EvalReport> {
    const suite = join(folder, 'suite.yaml')
    await writeFile(join(folder, 'cases.yaml'), JSON.stringify(cases))
    const settings = { name: 'bare', dataset: 'cases.yaml', target, threshold: 1, retries: 0 }
    const said = scorers ?? [{ contains: { phrases: ['answer'] } }]
    await writeFile(suite, JSON.stringify({ ...settings, scorers: said }))
    const deps = createEvalDeps({
      registry,
      trackingUri: server.url,
      env: env ?? { OPENAI_BASE_URL: model.url, OPENAI_API_KEY: 'key' },
    })
    return runEval({ suite, ...options }, deps)
  }
  const asked = () => model.requests.at(-1)?.body

  it('fills a chat prompt from the case, and sends it with its own settings', async () => {
    const cases = [{ id: 'a', input: 'hello', context: { city: 'Oslo', unused: 1 } }]
    const report = await run({ target: { prompt: 'chat' }, cases })
    expect(report).toMatchObject({ verdict: 'passed', reasons: [], model: 'own-model' })
    expect(report.prompts.chat).toMatchObject({ version: 1, alias: 'production' })
    expect(asked()).toEqual({
      model: 'own-model',
      temperature: 0.3,
      max_completion_tokens: 50,
      messages: [
        { role: 'system', content: 'You live in Oslo.' },
        { role: 'user', content: 'Say: hello' },
      ],
    })
    const { usage } = report.cases[0]?.result ?? {}
    expect(usage?.requests).toBe(1)
    expect(usage?.inputTokens).toBeGreaterThan(0)
  })

  it('puts a text that has no place for the input before it, and goes on turn by turn', async () => {
    const report = await run({
      target: { prompt: 'plain', model: 'suite-model' },
      cases: [{ id: 'a', turns: ['one', 'two'], context: { city: 'Oslo' } }],
    })
    expect(asked()).toMatchObject({
      model: 'suite-model',
      messages: [
        { role: 'system', content: 'Be brief in Oslo.' },
        { role: 'user', content: 'one' },
        { role: 'assistant', content: 'answer 2' },
        { role: 'user', content: 'two' },
      ],
    })
    expect(report.cases[0]?.result).toMatchObject({
      output: 'answer 4',
      usage: { requests: 2 },
      messages: [{ content: 'one' }, { content: 'answer 2' }, { content: 'two' }, { content: 'answer 4' }],
    })
  })

  it('judges the candidate by the alias, the model by the flag, variables by their places', async () => {
    const report = await run({
      target: { prompt: 'plain', variables: { city: 'context.home.city' } },
      cases: [{ id: 'a', input: 'hi', context: { home: { city: 'Bergen' }, user: { name: 'Ada' } } }],
      promptAlias: 'experiment',
      model: 'asked-model',
    })
    expect(report).toMatchObject({ verdict: 'passed', reasons: [] })
    expect(report.prompts.plain).toMatchObject({ version: 2, alias: 'experiment' })
    expect(asked()).toMatchObject({
      model: 'asked-model',
      messages: [{ role: 'system', content: 'Be briefer in Bergen, Ada.' }, { content: 'hi' }],
    })
  })

  it('asks for the structure that the prompt promises', async () => {
    respond = () => ({ content: '{"city":"Oslo"}' })
    const report = await run({
      target: { prompt: 'where' },
      cases: [{ id: 'a', input: 'the capital', expected: { json: { city: 'Oslo' } } }],
      scorers: ['json'],
    })
    expect(report).toMatchObject({ verdict: 'passed', reasons: [] })
    expect(asked()).toMatchObject({
      messages: [{ role: 'user', content: 'Where? the capital' }],
      response_format: { type: 'json_schema', json_schema: { schema: FORMAT, strict: true } },
    })
  })

  it.each([
    {
      rule: 'a variable that the case has not',
      target: { prompt: 'chat' },
      says: /configuration error in case a: it cannot be asked: .*chat.* version 1: missing variable "city"; give/,
    },
    {
      rule: 'a place that the case has not',
      target: { prompt: 'chat', variables: { city: 'context.town' } },
      says: /missing variable "city"/,
    },
    { rule: 'a prompt that there is not', target: { prompt: 'nope' }, says: /configuration error.*nope/ },
    { rule: 'no model', target: { prompt: 'no-model' }, says: /configuration error.*it names no model/ },
    {
      rule: 'a case with a seed',
      target: { prompt: 'no-model', model: 'm' },
      more: { seed: { memories: ['tea'] } },
      says: /configuration error.*has a seed \(memories\), which a bare prompt cannot prepare/,
    },
  ])('has no verdict with $rule', async ({ target, says, more }) => {
    const before = model.requests.length
    const report = await run({ target, cases: [{ id: 'a', input: 'hi', ...more }] })
    expect({ verdict: report.verdict, reasons: report.reasons[0] }).toEqual({
      verdict: 'invalid',
      reasons: expect.stringMatching(says),
    })
    expect(exitCodeOf(report)).toBe(2)
    expect(model.requests).toHaveLength(before)
  })

  it.each([
    { status: 401, kind: 'configuration' },
    { status: 404, kind: 'configuration' },
    { status: 400, kind: 'configuration' },
    { status: 408, kind: 'infrastructure' },
    { status: 429, kind: 'infrastructure' },
    { status: 503, kind: 'infrastructure' },
    { status: 504, kind: 'infrastructure' },
  ])('takes $status as an error of $kind', async ({ status, kind }) => {
    respond = () => ({ status, message: 'because' })
    const target = { prompt: 'no-model', model: 'm' }
    const report = await run({ target, cases: [{ id: 'a', input: 'hi' }] })
    expect(report).toMatchObject({ verdict: 'invalid', cases: [{ error: { kind } }] })
    expect(report.reasons[0]).toContain(`${status}`)
    expect(report.cases[0]?.result?.prompts).toHaveProperty('no-model')
  })

  it('takes a model server that is not there as an outage', async () => {
    const env = { OPENAI_BASE_URL: 'http://127.0.0.1:1/v1', OPENAI_API_KEY: 'key' }
    const target = { prompt: 'no-model', model: 'm' }
    const report = await run({ target, cases: [{ id: 'a', input: 'hi' }], env })
    expect(report.cases[0]?.error).toMatchObject({ kind: 'infrastructure' })
    expect(JSON.stringify(report)).not.toContain('"key"')
  })

  it('does not begin without a key', async () => {
    const asking = run({ target: { prompt: 'no-model' }, cases: [{ id: 'a', input: 'hi' }], env: {} })
    await expect(asking).rejects.toThrow('the target prompt:no-model needs OPENAI_API_KEY')
  })
})
