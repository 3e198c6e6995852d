import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRegistry, type Registry } from '@promptkeep/client'
import { silent } from '@promptkeep/client/protocol'
import { createEvalDeps, type EvalReport, runEval } from '@promptkeep/evals'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { readConfig } from '../apps/assistant/src/config.ts'
import {
  type ChatRequest,
  type ModelEndpoint,
  type ModelReply,
  startModelEndpoint,
} from '../apps/assistant/src/model-endpoint.ts'
import { PROMPT_DEFAULTS } from '../apps/assistant/src/prompt-defaults.ts'
import { start as startAssistant } from '../apps/assistant/src/start.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

/** What the model of the tests wants next, by who asks it and how many tools answered already. */
function reply({ tools = [], messages }: ChatRequest): ModelReply {
  const has = (name: string) => tools.some((tool) => tool.function.name === name)
  const done = messages.filter(({ role }) => role === 'tool').length
  const call = (name: string, given: object): ModelReply => ({ toolCalls: [{ name, arguments: given }] })
  if (has('ask_memory_agent')) {
    const said = JSON.stringify(messages.filter(({ role }) => role === 'user').at(-1))
    const asked = said.includes('tea')
      ? ['ask_memory_agent']
      : said.includes('Oslo')
        ? ['ask_weather_agent']
        : []
    const next = asked[done]
    return next ? call(next, { input: said }) : { content: 'Done.' }
  }
  if (has('save_memory_tool')) {
    const steps = [
      call('query_memory_tool', { query: 'tea' }),
      call('save_memory_tool', {
        content: 'Drinks tea without milk',
        memory_type: 'preference',
        confidence: 0.9,
      }),
    ]
    return steps[done] ?? { content: 'Saved.' }
  }
  if (has('get_weather') && done === 0) return call('get_weather', { location: 'Oslo, NO' })
  return { content: 'Nothing to do.' }
}

const TEA = 'Remember that I drink tea without milk'
const OSLO = 'What is the weather in Oslo?'
const HELLO = 'Hello there'
const query = 'query_memory_tool'
const save = 'save_memory_tool'
const ask = 'ask_memory_agent'

interface Row {
  readonly id: string
  readonly input: string
  readonly tool_calls?: readonly unknown[]
  readonly delegations?: readonly string[]
  /** By scorer. */
  readonly scores: Readonly<Record<string, number>>
}

const all = [ask, query, save]
const ROWS: readonly Row[] = [
  { id: 'inner', input: TEA, tool_calls: [save], scores: { subset: 1, exact: 1 / 3, ordered: 1 } },
  {
    id: 'inner-by-agent',
    input: TEA,
    tool_calls: [`MemoryAgent/${save}`],
    scores: { subset: 1, exact: 1 / 3, ordered: 1 },
  },
  {
    id: 'not-by-the-outer',
    input: TEA,
    tool_calls: [`Assistant/${save}`],
    scores: { subset: 0, exact: 0, ordered: 0 },
  },
  {
    id: 'never-called',
    input: TEA,
    tool_calls: ['delete_memory_tool'],
    scores: { subset: 0, exact: 0, ordered: 0 },
  },
  { id: 'all', input: TEA, tool_calls: all, scores: { subset: 1, exact: 1, ordered: 1 } },
  {
    id: 'other-order',
    input: TEA,
    tool_calls: [save, query],
    scores: { subset: 1, exact: 2 / 3, ordered: 0.5 },
  },
  {
    id: 'arguments',
    input: TEA,
    tool_calls: [{ tool: save, arguments: { content: { matches: 'tea' }, memory_type: 'preference' } }],
    scores: { subset: 1, exact: 1 / 3, ordered: 1 },
  },
  {
    id: 'other-arguments',
    input: TEA,
    tool_calls: [{ tool: save, arguments: { memory_type: 'fact' } }],
    scores: { subset: 0, exact: 0, ordered: 0 },
  },
  { id: 'once', input: TEA, tool_calls: [{ tool: save, times: 1 }], scores: { subset: 1, exact: 1 / 3 } },
  { id: 'not-twice', input: TEA, tool_calls: [{ tool: save, times: 2 }], scores: { subset: 0, exact: 0 } },
  { id: 'none', input: HELLO, tool_calls: [], scores: { subset: 1, exact: 1, ordered: 1 } },
  { id: 'not-none', input: TEA, tool_calls: [], scores: { subset: 0, exact: 0 } },
  { id: 'handed-over', input: TEA, delegations: ['memory'], scores: { delegation: 1 } },
  { id: 'handed-to-another', input: TEA, delegations: ['weather'], scores: { delegation: 0 } },
  {
    id: 'weather',
    input: OSLO,
    tool_calls: ['WeatherAgent/get_weather'],
    delegations: ['weather'],
    scores: { subset: 1, delegation: 1 },
  },
  { id: 'handed-to-nobody', input: HELLO, delegations: [], scores: { delegation: 1 } },
  { id: 'not-to-nobody', input: TEA, delegations: [], scores: { delegation: 0 } },
]

const SCORERS = [
  { tool_calls: { name: 'subset' } },
  { tool_calls: { name: 'exact', match: 'exact' } },
  { tool_calls: { name: 'ordered', in_order: true } },
  'delegation',
]

describe('calls that a specialist makes inside a hand-over', { timeout: 60_000 }, () => {
  let server: TestRegistry
  let registry: Registry
  let model: ModelEndpoint
  let folder = ''

  beforeAll(async () => {
    server = await startRegistry()
    const settings = { trackingUri: server.url, env: {}, strict: true, cacheTtlSeconds: 0 }
    registry = createRegistry({ ...settings, defaults: PROMPT_DEFAULTS })
    await registry.seed()
    model = await startModelEndpoint({ respond: ({ body }) => reply(body), record: true })
    folder = await mkdtemp(join(tmpdir(), 'promptkeep-nested-'))
    const cases = ROWS.map(({ id, input, tool_calls, delegations }) => {
      return {
        id,
        input,
        expected: { ...(tool_calls && { tool_calls }), ...(delegations && { delegations }) },
      }
    })
    await writeFile(join(folder, 'cases.yaml'), JSON.stringify(cases))
  })
  afterAll(async () => {
    await model?.close()
    await registry?.close()
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const env = () => ({ OPENAI_API_KEY: 'none', OPENAI_BASE_URL: model.url, OPENAI_MODEL: 'scripted' })

  async function run(target: string): Promise<EvalReport> {
    const suite = { name: 'nested', dataset: 'cases.yaml', target, scorers: SCORERS, threshold: 0 }
    const path = join(folder, 'nested.yaml')
    await writeFile(path, JSON.stringify(suite))
    return runEval({ suite: path }, createEvalDeps({ registry, trackingUri: server.url, env: env() }))
  }

  /** What the run's own record says of each case, against the table. */
  function checkScores({ reasons, metrics, cases }: EvalReport) {
    expect(reasons).toEqual([])
    expect(metrics.errors).toBe(0)
    for (const { id, scores } of ROWS) {
      const found = cases.find((one) => one.case.id === id)?.scores ?? []
      const said = Object.fromEntries(found.map(({ name, score }) => [name, score]))
      for (const [name, score] of Object.entries(scores))
        expect(said[name], `${id}: ${name}`).toBeCloseTo(score, 12)
    }
  }

  it('are seen in a run of the assistant in this process', async () => {
    const report = await run(
      `${fileURLToPath(new URL('../apps/assistant/src/eval-target.ts', import.meta.url))}#chat`,
    )
    checkScores(report)
    const calls = report.cases.find((one) => one.case.id === 'all')?.result?.toolCalls ?? []
    expect(calls.map(({ agent, name }) => `${agent}/${name}`)).toEqual([
      `Assistant/${ask}`,
      `MemoryAgent/${query}`,
      `MemoryAgent/${save}`,
    ])
    // Whoever looks at the model's answers to the outer agent alone sees none of the inner calls.
    const outer = model.requests.filter(({ body }) => body.tools?.some((tool) => tool.function.name === ask))
    const inHistory = outer.flatMap(({ body }) => body.messages.flatMap(({ tool_calls = [] }) => tool_calls))
    expect(new Set(inHistory.map((call) => call.function.name))).toEqual(new Set([ask, 'ask_weather_agent']))
  })

  it('are seen in a run of an assistant that serves', async () => {
    const settings = {
      ...env(),
      ASSISTANT_PORT: '0',
      ASSISTANT_DATABASE: 'sqlite::memory:',
      MLFLOW_TRACKING_URI: server.url,
      ALLOW_PROMPT_OVERRIDE: 'true',
    }
    const deps = { log: silent, env: settings, fetch, now: Date.now, newId: () => crypto.randomUUID() }
    const assistant = await startAssistant(readConfig(settings), deps)
    onTestFinished(() => assistant.stop())
    checkScores(await run(`${assistant.url}/chat`))
  })
})
