import { describe, expect, it, onTestFinished } from 'vitest'
import type { Respond } from '../model-endpoint.ts'
import { PROMPT_DEFAULTS } from '../prompt-defaults.ts'
import type { PromptName } from '../prompt-map.ts'
import { createScript, type Step } from '../scripted-model.ts'
import { fixedTool, startTestRun, type TestRun, type TestRunOptions } from '../testing.ts'
import { SPECIALISTS, type SpecialistTools } from './context.ts'
import { createKnowledgeAgent } from './knowledge.ts'
import { createMemoryAgent } from './memory.ts'
import { createNotificationAgent } from './notification.ts'
import { buildOrchestratorInstructions, createOrchestrator, type Persona } from './orchestrator.ts'
import { createProactiveAgent } from './proactive.ts'
import { SPECIALIST_CARDS } from './specialist-tool.ts'
import { createWeatherAgent } from './weather.ts'

const say =
  (content: string): Respond =>
  () => ({ content })
const ask = (name: string, input: string): Step => ({ toolCalls: [{ name, arguments: { input } }] })

const TOOLS: SpecialistTools = {
  memory: [fixedTool('query_memory_tool', '{"memories":[]}')],
  weather: [fixedTool('get_weather', 'Oslo: 3°C.')],
}

const FACTORIES = {
  memory: createMemoryAgent,
  knowledge: createKnowledgeAgent,
  weather: createWeatherAgent,
  proactive: createProactiveAgent,
  notification: createNotificationAgent,
}
const specialists = Object.keys(FACTORIES) as (keyof typeof FACTORIES)[]
const PROMPTS: Readonly<Record<keyof typeof FACTORIES, readonly PromptName[]>> = {
  memory: ['memory', 'memory-write'],
  knowledge: ['knowledge-graph'],
  weather: ['weather'],
  proactive: ['observation', 'calibration', 'schedule'],
  notification: ['notification'],
}

async function chat(run: TestRun, persona: Persona, tools: SpecialistTools, message = 'Hello') {
  const agent = await createOrchestrator({ ...run.deps, persona, tools })
  const result = await run.deps.models.runner.run(agent, message, {
    context: run.context,
    signal: run.context.signal,
  })
  return result.finalOutput
}

async function alone(run: TestRun, specialist: keyof typeof FACTORIES) {
  const agent = await FACTORIES[specialist](run.deps, [])
  await run.deps.models.runner.run(agent, 'Hello', { context: run.context })
}

/** One scripted chat from start to end; a script that was not used up fails. */
async function scripted(
  steps: readonly Step[],
  options: Partial<TestRunOptions> & { tools?: SpecialistTools } = {},
) {
  const script = createScript(steps)
  const run = await startTestRun({ respond: script.respond, ...options })
  const output = await chat(run, 'none', options.tools ?? TOOLS)
  expect(script.remaining()).toBe(0)
  return { run, output }
}

const systemOf = (run: TestRun, index = 0) =>
  run.endpoint.requests[index]?.body.messages[0]?.content as string

describe('instructions, as they are sent', () => {
  it.each(['onboarding', 'returning', 'none'] as const)('of the orchestrator: %s', async (persona) => {
    await using run = await startTestRun({ respond: say('Good day.') })
    await chat(run, persona, TOOLS)
    await expect(systemOf(run)).toMatchFileSnapshot(`./golden/orchestrator-${persona}.md`)
  })

  it.each(specialists)('of the %s specialist', async (specialist) => {
    await using run = await startTestRun({ respond: say('Nothing.') })
    await alone(run, specialist)
    await expect(systemOf(run)).toMatchFileSnapshot(`./golden/${specialist}.md`)
  })

  it('have one blank line between blocks, whatever blank lines a registered text begins or ends with', async () => {
    await using plain = await startTestRun({ respond: say('Nothing.') })
    await alone(plain, 'memory')
    await using padded = await startTestRun({
      respond: say('Nothing.'),
      before: (transport) => republish(transport, 'memory-write', (text) => `\n\n${text}\r\n\n`),
    })
    await alone(padded, 'memory')
    expect(systemOf(padded)).toBe(systemOf(plain))
  })
})

describe('routing section', () => {
  it('names the specialists that have tools, in their fixed order, and offers exactly these', async () => {
    await using run = await startTestRun({ respond: say('Good day.') })
    const every: SpecialistTools = {
      notification: [fixedTool('send_notification', '')],
      ...TOOLS,
      knowledge: [],
    }
    await chat(run, 'none', every)
    const body = run.endpoint.requests[0]?.body
    expect(body?.tools?.map((offered) => offered.function.name)).toEqual([
      'ask_memory_agent',
      'ask_weather_agent',
      'ask_notification_agent',
    ])
    expect(systemOf(run).split('## Specialists you can ask\n\n')[1]?.split('\n')).toEqual([
      `- ask_memory_agent: ${SPECIALIST_CARDS.memory.domain}`,
      `- ask_weather_agent: ${SPECIALIST_CARDS.weather.domain}`,
      `- ask_notification_agent: ${SPECIALIST_CARDS.notification.domain}`,
    ])
  })

  it('names all five, once all have tools', async () => {
    await using run = await startTestRun({ respond: say('Good day.') })
    const instructions = buildOrchestratorInstructions(run.context.run, 'returning', SPECIALISTS)
    const tools = specialists.map((specialist) => SPECIALIST_CARDS[specialist].toolName)
    expect(instructions.match(/^- ask_\w+/gm)).toEqual(tools.map((name) => `- ${name}`))
    expect(instructions).not.toMatch(/\n\n\n/)
  })

  it('is left out when no specialist has tools', async () => {
    await using run = await startTestRun({ respond: say('Good day.') })
    await chat(run, 'none', {})
    expect(systemOf(run)).toBe(PROMPT_DEFAULTS['orchestrator-base'].template)
    expect(run.endpoint.requests[0]?.body.tools).toBeUndefined()
  })
})

describe('model config', () => {
  it.each(specialists)('of its first prompt is in the %s specialist’s request', async (specialist) => {
    await using run = await startTestRun({ respond: say('Nothing.') })
    await alone(run, specialist)
    const config = PROMPT_DEFAULTS[PROMPTS[specialist][0] as PromptName].modelConfig
    expect(config).toBeDefined()
    expect(run.endpoint.requests[0]?.body).toMatchObject({ model: 'test-model', ...config })
  })

  it('is looked up key by key: request, then prompt, then environment', async () => {
    await using run = await startTestRun({
      respond: say('Good day.'),
      request: { max_tokens: 50, model_name: 'other' },
      environment: { model_name: 'test-model', temperature: 0.1, top_p: 0.9 },
      allowedModels: ['other'],
    })
    await chat(run, 'none', {})
    expect(run.endpoint.requests[0]?.body).toMatchObject({
      model: 'other',
      max_tokens: 50,
      temperature: 0.7,
      top_p: 0.9,
    })
  })

  it('sends top_k, stop sequences and extras under their own names', async () => {
    await using run = await startTestRun({
      respond: say('Nothing.'),
      before: (transport) =>
        republish(transport, 'weather', (text) => text, { top_k: 5, stop_sequences: ['END'], seed: 7 }),
    })
    await alone(run, 'weather')
    const body = run.endpoint.requests[0]?.body
    expect(body).toMatchObject({ top_k: 5, stop: ['END'], seed: 7 })
    expect(body).not.toHaveProperty('temperature')
  })

  it('of a later part is never merged, and warned of once', async () => {
    await using run = await startTestRun({
      respond: say('Nothing.'),
      before: (transport) => republish(transport, 'memory-write', (text) => text, { top_p: 0.1 }),
    })
    await alone(run, 'memory')
    await alone(run, 'memory')
    for (const { body } of run.endpoint.requests) expect(body).not.toHaveProperty('top_p')
    expect(run.lines.filter(({ event }) => event === 'model.config_ignored')).toEqual([
      {
        level: 'warn',
        event: 'model.config_ignored',
        agent: 'MemoryAgent',
        prompt: 'memory-write',
        used: 'memory',
      },
    ])
  })

  it('naming a model outside the allowed ones is refused with a warning', async () => {
    await using run = await startTestRun({ respond: say('Good day.'), request: { model_name: 'secret' } })
    await chat(run, 'none', {})
    expect(run.endpoint.requests[0]?.body.model).toBe('test-model')
    expect(run.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', event: 'model.setting_refused', value: 'secret' }),
    )
  })
})

describe('a run', () => {
  it('records nested tool calls with agent, name, arguments and result, and shows their status', async () => {
    const { run, output } = await scripted([
      ask('ask_weather_agent', 'Oslo?'),
      { toolCalls: [{ name: 'get_weather', arguments: { query: 'Oslo' } }] },
      { content: 'It is 3°C in Oslo.' },
      { content: 'Three degrees in Oslo.' },
    ])
    await using _ = run
    expect(output).toBe('Three degrees in Oslo.')
    expect(run.context.record.toolCalls()).toEqual([
      {
        agent: 'Assistant',
        name: 'ask_weather_agent',
        arguments: { input: 'Oslo?' },
        result: 'It is 3°C in Oslo.',
        ok: true,
      },
      {
        agent: 'WeatherAgent',
        name: 'get_weather',
        arguments: { query: 'Oslo' },
        result: 'Oslo: 3°C.',
        ok: true,
      },
    ])
    expect(run.statuses.map(({ type, tool: name, ok }) => [type, name, ok])).toEqual([
      ['started', 'ask_weather_agent', undefined],
      ['started', 'get_weather', undefined],
      ['finished', 'get_weather', true],
      ['finished', 'ask_weather_agent', true],
    ])
    expect(run.context.record.usage().requests).toBe(4)
    expect(run.context.record.usage().inputTokens).toBeGreaterThan(1000)
  })

  it('counts a prompt as used when its text went into a request, and no other', async () => {
    const script = createScript([
      ask('ask_memory_agent', 'anything?'),
      { content: 'Nothing.' },
      { content: 'Nothing is known.' },
    ])
    await using run = await startTestRun({ respond: script.respond })
    const agent = await createOrchestrator({ ...run.deps, persona: 'returning', tools: TOOLS })
    expect(run.context.run.used()).toEqual({})
    await run.deps.models.runner.run(agent, 'Hello', { context: run.context })
    const { prompts, fingerprint } = await run.context.run.lineage()
    expect(Object.keys(prompts)).toEqual([
      'orchestrator-base',
      'proactive-greeting',
      'memory',
      'memory-write',
    ])
    expect(prompts.memory).toMatchObject({
      version: 1,
      alias: 'production',
      digest: expect.stringMatching(/^\w{64}$/),
    })
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/)
    expect(fingerprint).not.toBe(run.context.run.resolved.fingerprint)
  })

  it('tells the endpoint the versions of each request only when it is asked to', async () => {
    await using silent = await startTestRun({ respond: say('Good day.') })
    await chat(silent, 'onboarding', {})
    await using telling = await startTestRun({ respond: say('Good day.'), sendLineage: true })
    await chat(telling, 'onboarding', {})
    const header = (run: TestRun) => run.endpoint.requests[0]?.headers['x-promptkeep-prompts']
    expect(header(silent)).toBeUndefined()
    expect(header(telling)).toBe('orchestrator-base/1, onboarding/1')
    expect(telling.endpoint.requests[0]?.text).toBe(silent.endpoint.requests[0]?.text)
  })

  it('tells the endpoint of the specialists that were asked before, too', async () => {
    await using run = await startTestRun({
      sendLineage: true,
      respond: ({ body }) => {
        const has = (name: string) => body.tools?.some((tool) => tool.function.name === name)
        const isLast = body.messages.at(-1)?.role === 'tool'
        return has('ask_memory_agent') && !isLast
          ? { toolCalls: [{ name: 'ask_memory_agent', arguments: { input: 'coffee' } }] }
          : { content: 'Nothing is known.' }
      },
    })
    await chat(run, 'returning', TOOLS)
    expect(run.endpoint.requests.map(({ headers }) => headers['x-promptkeep-prompts'])).toEqual([
      'orchestrator-base/1, proactive-greeting/1',
      'orchestrator-base/1, proactive-greeting/1, memory/1, memory-write/1',
      'orchestrator-base/1, proactive-greeting/1, memory/1, memory-write/1',
    ])
  })

  it.each([
    { rule: 'its tool throws', tools: { memory: [fixedTool('query_memory_tool', new Error('disk full'))] } },
    { rule: 'its model fails', tools: TOOLS },
  ])('goes on when a specialist fails: $rule', async ({ rule, tools }) => {
    const specialist: Step[] =
      rule === 'its model fails'
        ? [{ status: 400, message: 'no' }]
        : [{ toolCalls: [{ name: 'query_memory_tool', arguments: {} }] }, { status: 400, message: 'no' }]
    const { run, output } = await scripted(
      [ask('ask_memory_agent', 'x'), ...specialist, { content: 'Memory does not work now.' }],
      { tools },
    )
    await using _ = run
    expect(output).toBe('Memory does not work now.')
    expect(run.context.record.toolCalls()[0]?.result).toMatchObject({ success: false, action: 'error' })
    expect(run.statuses.at(-1)).toMatchObject({ tool: 'ask_memory_agent', ok: false })
    expect(run.lines).toContainEqual(expect.objectContaining({ level: 'warn', event: 'specialist.failed' }))
  })

  it('answers with the bundled text of a specialist whose prompt cannot be rendered', async () => {
    const { run, output } = await scripted(
      [ask('ask_weather_agent', 'Oslo?'), { content: 'Sunny.' }, { content: 'It is sunny.' }],
      { before: (transport) => republish(transport, 'weather', (text) => `${text} {{ city }}`) },
    )
    await using _ = run
    expect(output).toBe('It is sunny.')
    expect(run.context.run.used().weather).toMatchObject({ version: 0, source: 'default' })
  })

  it('stops a specialist that only ever calls tools, and leaves no listeners behind', async () => {
    const warnings: Error[] = []
    const warned = (warning: Error) => warnings.push(warning)
    process.on('warning', warned)
    onTestFinished(() => void process.off('warning', warned))
    const forever: Step = { toolCalls: [{ name: 'query_memory_tool', arguments: {} }] }
    const { run, output } = await scripted([
      ask('ask_memory_agent', 'x'),
      ...Array.from({ length: 10 }, () => forever),
      { content: 'I could not find out.' },
    ])
    await using _ = run
    expect(output).toBe('I could not find out.')
    expect(warnings).toEqual([])
  })

  it('ends when the user goes away, also inside a specialist', async () => {
    const holder: { run?: TestRun } = {}
    await using run = await startTestRun({
      respond({ body }) {
        if (body.tools?.some((offered) => offered.function.name === 'ask_memory_agent'))
          return { toolCalls: [{ name: 'ask_memory_agent', arguments: { input: 'x' } }] }
        holder.run?.abort()
        return { hang: true }
      },
    })
    holder.run = run
    await expect(chat(run, 'none', TOOLS)).rejects.toThrow(/abort/i)
    expect(run.endpoint.requests).toHaveLength(2)
  })
})

/** What another author of the registry does: a new version of a seeded prompt, in production at once. */
async function republish(
  transport: TestRun['transport'],
  name: PromptName,
  edit: (text: string) => string,
  modelConfig = PROMPT_DEFAULTS[name].modelConfig,
) {
  const template = edit(PROMPT_DEFAULTS[name].template as string)
  const { version } = await transport.plant({ name, template, modelConfig })
  await transport.moveAlias({ name, alias: 'production', to: version })
}
