import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import { Agent, OpenAIProvider, Runner } from '@openai/agents'
import { generateObject, generateText, jsonSchema, Output } from 'ai'
import fc from 'fast-check'
import OpenAI from 'openai'
import { beforeEach, describe, expect, expectTypeOf, it, onTestFinished } from 'vitest'
import { type ModelRecorder, startModelRecorder } from '../../../../tests/support/model-recorder.ts'
import { createMemoryTransport } from '../memory.ts'
import type { Prompt, PromptVersion } from '../prompt.ts'
import { createRegistry } from '../registry.ts'
import { compileTemplate } from '../template.ts'
import type { PromptShape } from '../typed.ts'
import type { AdapterPrompt } from './adapter.ts'
import { toGenerateObject, toGenerateText } from './ai-sdk.ts'
import { toMessage } from './anthropic.ts'
import { toChatCompletion, toResponse } from './openai.ts'
import { toAgentOptions } from './openai-agents.ts'

type Content = Partial<Pick<PromptVersion, 'template' | 'modelConfig' | 'responseFormat'>>

/** What a loaded prompt is to an adapter. */
function promptOf({ template = 'Recall {{ what }}.', ...content }: Content) {
  const compiled = compileTemplate(template)
  const format = (values?: Readonly<Record<string, unknown>>) => compiled.format(values)
  return { name: 'memory.notes', version: 3, ...(structuredClone(content) as object), format }
}

const SETTINGS = {
  provider: 'openai',
  model_name: 'gpt-test',
  temperature: 0.2,
  max_tokens: 50,
  top_p: 0.9,
}
const ALL_SETTINGS = {
  ...SETTINGS,
  top_k: 40,
  frequency_penalty: 0.5,
  presence_penalty: -0.5,
  stop_sequences: ['END'],
}
const OPEN_SCHEMA = { type: 'object', properties: { note: { type: 'string' } } }
const CLOSED_SCHEMA = {
  type: 'object',
  properties: { note: { type: 'string' } },
  required: ['note'],
  additionalProperties: false,
}
const PICTURE = 'data:image/png;base64,iVBORw0KGgo='

/** All that a chat prompt can hold and every target has a place for. */
const CHAT = [
  { role: 'system', content: 'You keep notes.' },
  { role: 'developer', content: 'Be brief.' },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'What is {{ what }}?' },
      { type: 'image_url', image_url: { url: PICTURE } },
    ],
  },
  {
    role: 'assistant',
    content: 'I look it up.',
    tool_calls: [
      { id: 'c1', type: 'function', function: { name: 'find', arguments: '{"q":"a"}' } },
      { id: 'c2', type: 'function', function: { name: 'find', arguments: '{"q":"b"}' } },
    ],
  },
  { role: 'tool', tool_call_id: 'c1', content: 'One.' },
  { role: 'tool', tool_call_id: 'c2', content: 'Two.' },
  { role: 'assistant', content: 'Both.' },
  { role: 'user', content: 'Thanks.' },
]

let recorder: ModelRecorder
beforeEach(async () => {
  recorder = await startModelRecorder('{"note":"Done."}')
  return () => recorder.close()
})
const sent = () => recorder.calls.at(-1)?.body
const openai = () => new OpenAI({ apiKey: 'k', baseURL: `${recorder.url}/v1`, maxRetries: 0 })
const anthropic = () => new Anthropic({ apiKey: 'k', baseURL: recorder.url, maxRetries: 0 })
const aiModel = () => createOpenAI({ apiKey: 'k', baseURL: `${recorder.url}/v1` }).chat('gpt-test')

/** What every adapter makes of a prompt. */
const ADAPTERS: Record<string, (prompt: AdapterPrompt, values?: object, options?: object) => unknown> = {
  toChatCompletion: (...args) => toChatCompletion(...(args as unknown as [AdapterPrompt])),
  toResponse: (...args) => toResponse(...(args as unknown as [AdapterPrompt])),
  toGenerateText: (...args) => toGenerateText(...(args as unknown as [AdapterPrompt])),
  toAgentOptions: (...args) => toAgentOptions(...(args as unknown as [AdapterPrompt])),
  toMessage: (...args) => toMessage(...(args as unknown as [AdapterPrompt])),
}

describe('chat completions, as the openai package sends them', () => {
  const create = (prompt: ReturnType<typeof promptOf>, options = {}) =>
    openai().chat.completions.create(toChatCompletion(prompt, { what: 'a note' }, options))

  it('a text prompt is the user, or the system, with its settings under OpenAI names', async () => {
    const prompt = promptOf({ modelConfig: { ...ALL_SETTINGS, seed: 7, reasoning_effort: 'low' } })
    await create(prompt, { omit: ['top_k'] })
    expect(sent()).toEqual({
      model: 'gpt-test',
      messages: [{ role: 'user', content: 'Recall a note.' }],
      temperature: 0.2,
      max_completion_tokens: 50,
      top_p: 0.9,
      frequency_penalty: 0.5,
      presence_penalty: -0.5,
      stop: ['END'],
      seed: 7,
      reasoning_effort: 'low',
    })
    await create(prompt, { send: ['top_k'], as: 'system', maxTokens: 'max_tokens', model: 'other' })
    expect(sent()).toMatchObject({
      model: 'other',
      messages: [{ role: 'system', content: 'Recall a note.' }],
      max_tokens: 50,
      top_k: 40,
    })
    expect(sent()).not.toHaveProperty('max_completion_tokens')
  })

  it('a chat prompt keeps roles, names, tool calls, results and parts', async () => {
    const named = [
      ...CHAT,
      {
        role: 'user',
        name: 'ada',
        content: [{ type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }],
      },
    ]
    await create(promptOf({ template: named, modelConfig: SETTINGS }))
    expect(sent()?.messages).toEqual(JSON.parse(JSON.stringify(named).replace('{{ what }}', 'a note')))
  })

  it.each([
    { kind: 'closed', schema: CLOSED_SCHEMA, strict: true },
    { kind: 'open', schema: OPEN_SCHEMA, strict: false },
    { kind: 'open within', schema: { ...CLOSED_SCHEMA, properties: { note: OPEN_SCHEMA } }, strict: false },
  ])('a $kind JSON Schema is the response format, strict: $strict', async ({ schema, strict }) => {
    await create(promptOf({ modelConfig: SETTINGS, responseFormat: schema }))
    expect(sent()?.response_format).toEqual({
      type: 'json_schema',
      json_schema: { name: 'memory_notes', schema, strict },
    })
  })

  it("OpenAI's own envelope is read too", async () => {
    const envelope = { type: 'json_schema', json_schema: { name: 'note', schema: OPEN_SCHEMA, strict: true } }
    await create(promptOf({ modelConfig: SETTINGS, responseFormat: envelope }))
    expect(sent()?.response_format).toEqual(envelope)
    await create(promptOf({ modelConfig: SETTINGS, responseFormat: { type: 'text' } }))
    expect(sent()).not.toHaveProperty('response_format')
    await create(promptOf({ modelConfig: SETTINGS, responseFormat: { type: 'json_object' } }))
    expect(sent()?.response_format).toMatchObject({
      json_schema: { schema: { type: 'object' }, strict: false },
    })
  })
})

describe('responses, as the openai package sends them', () => {
  it('a text prompt, its settings and its schema under the names of responses', async () => {
    const modelConfig = { ...SETTINGS, reasoning_effort: 'low', verbosity: 'high', seed: 7 }
    const prompt = promptOf({ modelConfig, responseFormat: CLOSED_SCHEMA })
    await openai().responses.create(toResponse(prompt, { what: 'a note' }))
    expect(sent()).toEqual({
      model: 'gpt-test',
      input: [{ role: 'user', content: 'Recall a note.' }],
      temperature: 0.2,
      max_output_tokens: 50,
      top_p: 0.9,
      reasoning: { effort: 'low' },
      seed: 7,
      text: {
        verbosity: 'high',
        format: { type: 'json_schema', name: 'memory_notes', schema: CLOSED_SCHEMA, strict: true },
      },
    })
    const asSystem = toResponse(prompt, { what: 'a note' }, { as: 'system' })
    expect(asSystem).toMatchObject({ instructions: 'Recall a note.', input: [] })
  })

  it('a chat prompt becomes items; calls and results stand for themselves', async () => {
    const prompt = promptOf({ template: CHAT, modelConfig: SETTINGS })
    await openai().responses.create(toResponse(prompt, { what: 'a note' }))
    expect(sent()?.input).toEqual([
      { role: 'system', content: 'You keep notes.' },
      { role: 'developer', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'What is a note?' },
          { type: 'input_image', image_url: PICTURE, detail: 'auto' },
        ],
      },
      { role: 'assistant', content: 'I look it up.' },
      { type: 'function_call', call_id: 'c1', name: 'find', arguments: '{"q":"a"}' },
      { type: 'function_call', call_id: 'c2', name: 'find', arguments: '{"q":"b"}' },
      { type: 'function_call_output', call_id: 'c1', output: 'One.' },
      { type: 'function_call_output', call_id: 'c2', output: 'Two.' },
      { role: 'assistant', content: 'Both.' },
      { role: 'user', content: 'Thanks.' },
    ])
  })
})

describe('messages, as the Anthropic package sends them', () => {
  it('a text prompt with its settings under Anthropic names', async () => {
    const modelConfig = { ...SETTINGS, top_k: 40, stop_sequences: ['END'], metadata: { user_id: 'u' } }
    const prompt = promptOf({ modelConfig, responseFormat: CLOSED_SCHEMA })
    await anthropic().messages.create(toMessage(prompt, { what: 'a note' }))
    expect(sent()).toEqual({
      model: 'gpt-test',
      max_tokens: 50,
      messages: [{ role: 'user', content: 'Recall a note.' }],
      temperature: 0.2,
      top_p: 0.9,
      top_k: 40,
      stop_sequences: ['END'],
      metadata: { user_id: 'u' },
      output_config: { format: { type: 'json_schema', schema: CLOSED_SCHEMA } },
    })
    expect(toMessage(prompt, { what: 'a note' }, { as: 'system' })).toMatchObject({
      system: 'Recall a note.',
      messages: [],
    })
  })

  it('system texts are apart, calls are tool_use, and the results of one turn are one turn', async () => {
    const prompt = promptOf({ template: CHAT, modelConfig: SETTINGS })
    await anthropic().messages.create(toMessage(prompt, { what: 'a note' }))
    expect(sent()).toMatchObject({
      system: [
        { type: 'text', text: 'You keep notes.' },
        { type: 'text', text: 'Be brief.' },
      ],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is a note?' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'I look it up.' },
            { type: 'tool_use', id: 'c1', name: 'find', input: { q: 'a' } },
            { type: 'tool_use', id: 'c2', name: 'find', input: { q: 'b' } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'c1', content: 'One.' },
            { type: 'tool_result', tool_use_id: 'c2', content: 'Two.' },
          ],
        },
        { role: 'assistant', content: 'Both.' },
        { role: 'user', content: 'Thanks.' },
      ],
    })
  })

  it('a system message in the middle stays there', () => {
    const template = [...CHAT, { role: 'developer', content: 'Now stop.' }]
    const params = toMessage(promptOf({ template, modelConfig: SETTINGS }), { what: 'x' })
    expect(params.messages.at(-1)).toEqual({ role: 'system', content: 'Now stop.' })
    expect(params.system).toHaveLength(2)
  })

  it('needs a limit from the prompt or the caller', () => {
    const prompt = promptOf({ modelConfig: { model_name: 'claude-test' } })
    expect(() => toMessage(prompt, { what: 'x' })).toThrow(
      'prompt "memory.notes" version 3: Anthropic requires a limit: give modelConfig.max_tokens',
    )
    expect(toMessage(prompt, { what: 'x' }, { maxTokens: 9 }).max_tokens).toBe(9)
  })
})

describe('the AI SDK, as its OpenAI provider sends it', () => {
  it('a text prompt and its settings under the names of the SDK', async () => {
    const prompt = promptOf({ modelConfig: { ...ALL_SETTINGS, seed: 7, reasoning_effort: 'low' } })
    const params = toGenerateText(prompt, { what: 'a note' }, { as: 'system', send: ['reasoning_effort'] })
    expect(params).toEqual({
      system: 'Recall a note.',
      messages: [],
      temperature: 0.2,
      maxOutputTokens: 50,
      topP: 0.9,
      topK: 40,
      frequencyPenalty: 0.5,
      presencePenalty: -0.5,
      stopSequences: ['END'],
      seed: 7,
      providerOptions: { openai: { reasoningEffort: 'low' } },
    })
    // Chat completions have no top_k: the SDK says so as a warning.
    const asUser = toGenerateText(prompt, { what: 'a note' }, { omit: ['top_k'], send: ['reasoning_effort'] })
    await generateText({ model: aiModel(), maxRetries: 0, ...asUser })
    expect(sent()).toEqual({
      model: 'gpt-test',
      messages: [{ role: 'user', content: 'Recall a note.' }],
      temperature: 0.2,
      max_tokens: 50,
      top_p: 0.9,
      frequency_penalty: 0.5,
      presence_penalty: -0.5,
      stop: ['END'],
      seed: 7,
      reasoning_effort: 'low',
    })
  })

  it('a chat prompt keeps what it holds', async () => {
    const params = toGenerateText(promptOf({ template: CHAT, modelConfig: SETTINGS }), { what: 'a note' })
    await generateText({ model: aiModel(), maxRetries: 0, ...params })
    expect(sent()?.messages).toEqual([
      { role: 'system', content: 'You keep notes.' },
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is a note?' },
          { type: 'image_url', image_url: { url: PICTURE } },
        ],
      },
      { role: 'assistant', content: 'I look it up.', tool_calls: CHAT[3]?.tool_calls },
      { role: 'tool', tool_call_id: 'c1', content: 'One.' },
      { role: 'tool', tool_call_id: 'c2', content: 'Two.' },
      { role: 'assistant', content: 'Both.' },
      { role: 'user', content: 'Thanks.' },
    ])
  })

  it('a response format is the output of generateText, and the schema of generateObject', async () => {
    const prompt = promptOf({ modelConfig: SETTINGS, responseFormat: CLOSED_SCHEMA })
    const values = { what: 'a note' }
    const text = await generateText({
      model: aiModel(),
      maxRetries: 0,
      ...toGenerateText(prompt, values, { output: Output.object }),
    })
    expect(text.output).toEqual({ note: 'Done.' })
    const [viaText] = [sent()?.response_format]
    const object = await generateObject({
      model: aiModel(),
      maxRetries: 0,
      ...toGenerateObject(prompt, values),
    })
    expect(object.object).toEqual({ note: 'Done.' })
    expect(sent()?.response_format).toEqual(viaText)
    // The same bytes as with the SDK's own helper.
    await generateText({
      model: aiModel(),
      maxRetries: 0,
      prompt: 'x',
      output: Output.object({ schema: jsonSchema(CLOSED_SCHEMA as object), name: 'memory_notes' }),
    })
    expect(sent()?.response_format).toEqual(viaText)
  })

  it('a system message in the middle stays there, without a warning', () => {
    const template = [...CHAT, { role: 'system', content: 'Now stop.' }]
    const params = toGenerateText(promptOf({ template }), { what: 'x' })
    expect(params.allowSystemInMessages).toBe(true)
    expect(params.messages.at(-1)).toEqual({ role: 'system', content: 'Now stop.' })
  })
})

describe('agents, as @openai/agents sends them', () => {
  const run = async (useResponses: boolean, params: ReturnType<typeof toAgentOptions>) => {
    const modelProvider = new OpenAIProvider({ openAIClient: openai() as never, useResponses })
    const runner = new Runner({ modelProvider, tracingDisabled: true })
    return runner.run(new Agent({ name: 'notes', ...params }), 'Hello')
  }

  it('over responses', async () => {
    const modelConfig = { ...SETTINGS, reasoning_effort: 'low', verbosity: 'high', user: 'u' }
    const prompt = promptOf({ modelConfig, responseFormat: CLOSED_SCHEMA })
    const result = await run(true, toAgentOptions(prompt, { what: 'a note' }))
    expect(result.finalOutput).toEqual({ note: 'Done.' })
    expect(sent()).toMatchObject({
      model: 'gpt-test',
      instructions: 'Recall a note.',
      temperature: 0.2,
      max_output_tokens: 50,
      top_p: 0.9,
      reasoning: { effort: 'low' },
      user: 'u',
      text: {
        verbosity: 'high',
        format: { type: 'json_schema', name: 'memory_notes', schema: CLOSED_SCHEMA, strict: true },
      },
    })
  })

  it('over chat completions', async () => {
    const prompt = promptOf({ modelConfig: ALL_SETTINGS, responseFormat: OPEN_SCHEMA })
    await run(false, toAgentOptions(prompt, { what: 'a note' }, { api: 'chat', send: ['top_k'] }))
    expect(sent()).toMatchObject({
      model: 'gpt-test',
      messages: [
        { role: 'system', content: 'Recall a note.' },
        { role: 'user', content: 'Hello' },
      ],
      temperature: 0.2,
      max_tokens: 50,
      top_p: 0.9,
      top_k: 40,
      frequency_penalty: 0.5,
      presence_penalty: -0.5,
      stop: ['END'],
      response_format: {
        type: 'json_schema',
        json_schema: {
          name: 'memory_notes',
          strict: false,
          schema: { ...OPEN_SCHEMA, required: [], additionalProperties: true },
        },
      },
    })
  })

  it('system messages are the instructions; other roles are refused', () => {
    const params = toAgentOptions(promptOf({ template: CHAT.slice(0, 2) }))
    expect(params).toEqual({ instructions: 'You keep notes.\n\nBe brief.', modelSettings: {} })
    expect(() => toAgentOptions(promptOf({ template: CHAT }), { what: 'x' })).toThrow(
      'messages[2].role is "user"',
    )
  })
})

describe('what a target does not know is refused by name', () => {
  const UNKNOWN = {
    toChatCompletion: ['top_k'],
    toResponse: ['top_k', 'frequency_penalty', 'presence_penalty', 'stop_sequences'],
    toGenerateText: ['reasoning_effort'],
    toAgentOptions: ['top_k', 'frequency_penalty', 'presence_penalty', 'stop_sequences'],
    toMessage: ['frequency_penalty', 'presence_penalty'],
  }
  const cases = Object.entries(UNKNOWN).flatMap(([name, fields]) => fields.map((field) => ({ name, field })))
  const values = { what: 'x' }

  it.each(cases)('$name: $field', ({ name, field }) => {
    const value = { ...ALL_SETTINGS, reasoning_effort: 'low' }[field]
    const prompt = promptOf({ modelConfig: { ...SETTINGS, [field]: value } })
    expect(() => ADAPTERS[name]?.(prompt, values)).toThrow(
      expect.objectContaining({
        code: 'INVALID_INPUT',
        message: expect.stringMatching(
          `^prompt "memory.notes" version 3: modelConfig.${field} .*omit: \\["${field}"\\]`,
        ),
      }),
    )
    expect(JSON.stringify(ADAPTERS[name]?.(prompt, values, { omit: [field] }))).not.toContain(field)
    expect(JSON.stringify(ADAPTERS[name]?.(prompt, values, { send: [field] }))).toContain(
      JSON.stringify(value),
    )
  })

  it.each(Object.keys(ADAPTERS))(
    '%s: what the calling code decides, and messages of another form',
    (name) => {
      const make =
        (content: Content, options = {}) =>
        () =>
          ADAPTERS[name]?.(promptOf(content), content.template ? {} : values, options)
      const owned = name === 'toAgentOptions' ? 'instructions' : 'messages'
      expect(make({ modelConfig: { ...SETTINGS, [owned]: [] } })).toThrow(
        `modelConfig.${owned} is decided by the code`,
      )
      const only = (message: object) => ({
        template: [{ role: 'system', ...message }] as never,
        modelConfig: SETTINGS,
      })
      expect(make(only({ role: 'wizard', content: 'x' }))).toThrow('messages[0].role must be one of')
      expect(make(only({ content: 'x', cache_control: {} }))).toThrow('messages[0].cache_control is nothing')
      expect(make(only({ content: [{ type: 'image_url', image_url: { url: PICTURE } }] }))).toThrow(
        'only a user can say',
      )
      expect(make({ modelConfig: { temperature: -1 } as never })).toThrow('modelConfig.temperature must be')
      expect(make({ modelConfig: SETTINGS, responseFormat: { type: 'json_schema' } })).toThrow(
        'holds no schema',
      )
      expect(make({}, { omit: 'top_k' })).toThrow('options.omit must be a list of field names')
      expect(() => ADAPTERS[name]?.(promptOf({}))).toThrow(
        expect.objectContaining({ code: 'MISSING_VARIABLES' }),
      )
    },
  )

  it.each(['toChatCompletion', 'toResponse', 'toMessage'])('%s: a prompt without a model', (name) => {
    const prompt = promptOf({ modelConfig: { max_tokens: 5 } })
    expect(() => ADAPTERS[name]?.(prompt, values)).toThrow('it names no model')
    expect(ADAPTERS[name]?.(prompt, values, { model: 'm' })).toMatchObject({ model: 'm' })
    const named = promptOf({ modelConfig: { max_tokens: 5, model_name: 'x', temperature: null } as never })
    expect(ADAPTERS[name]?.(named, values)).not.toHaveProperty('temperature')
    expect(() => ADAPTERS[name]?.(named, values, { omit: ['model_name'] })).toThrow('it names no model')
  })

  it.each(['toResponse', 'toGenerateText', 'toMessage'])(
    '%s: the name of a speaker, and an image in detail',
    (name) => {
      const part = { type: 'image_url', image_url: { url: PICTURE, detail: 'low' } }
      const make =
        (message: object, options = {}) =>
        () =>
          ADAPTERS[name]?.(
            promptOf({ template: [{ role: 'user', ...message }], modelConfig: SETTINGS }),
            {},
            options,
          )
      expect(make({ name: 'ada', content: 'Hi' })).toThrow('messages[0].name is nothing')
      expect(make({ name: 'ada', content: 'Hi' }, { omit: ['name'] })).not.toThrow()
      if (name === 'toResponse')
        expect(JSON.stringify(make({ content: [part] })())).toContain('"detail":"low"')
      else expect(make({ content: [part] })).toThrow('omit: ["detail"]')
      expect(make({ content: [part] }, { omit: ['detail'] })).not.toThrow()
    },
  )

  it('a setting that is said twice', () => {
    const prompt = promptOf({ modelConfig: { ...SETTINGS, stop_sequences: ['a'], stop: 'b' } })
    expect(() => toChatCompletion(prompt, values)).toThrow('says stop twice: as stop and as stop_sequences')
  })

  it('a text prompt with a response format asks generateText for its output', () => {
    const prompt = promptOf({ responseFormat: CLOSED_SCHEMA })
    expect(() => toGenerateText(prompt, values)).toThrow('give output: Output.object')
    expect(() => toGenerateText(promptOf({}), values, { output: Output.object })).toThrow(
      'has no response format',
    )
    expect(() => toGenerateObject(promptOf({}), values)).toThrow('has no response format')
    expect(toGenerateText(prompt, values, { omit: ['response_format'] })).not.toHaveProperty('output')
  })
})

it('no text is lost or changed on its way, whatever it holds', () => {
  const message = fc.record({
    role: fc.constantFrom('system', 'developer', 'user', 'assistant'),
    content: fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => text.trim() !== ''),
  })
  fc.assert(
    fc.property(fc.array(message, { minLength: 1 }), (template) => {
      const format = () => structuredClone(template)
      const prompt = { name: 'chat', version: 1, modelConfig: SETTINGS, format }
      for (const name of ['toChatCompletion', 'toResponse', 'toGenerateText', 'toMessage']) {
        const texts = textsIn(ADAPTERS[name]?.(prompt, {}))
        expect(texts).toEqual(template.map(({ content }) => content))
      }
    }),
    { numRuns: 300 },
  )
})

/** All texts of a request in the order in which a model reads them. */
function textsIn(params: unknown): unknown[] {
  const { instructions, system, messages, input } = params as Record<string, unknown>
  const inside = (value: unknown): unknown[] => {
    if (typeof value === 'string') return [value]
    if (Array.isArray(value)) return value.flatMap(inside)
    const { text, content } = value as Record<string, unknown>
    return inside(text ?? content ?? [])
  }
  return [instructions, system, messages, input].flatMap((part) => (part === undefined ? [] : inside(part)))
}

it('the types: values as the prompt wants them, and answers as its response format says', async () => {
  interface Shape extends PromptShape {
    readonly kind: 'text'
    readonly variables: { readonly what: string }
    readonly response: { note: string }
  }
  const prompt = promptOf({
    modelConfig: SETTINGS,
    responseFormat: CLOSED_SCHEMA,
  }) as unknown as Prompt<Shape>
  // @ts-expect-error: a variable is missing
  expect(() => toChatCompletion(prompt)).toThrow()
  // @ts-expect-error: a variable is misspelt
  expect(() => toMessage(prompt, { waht: 'x' })).toThrow()
  const model = aiModel()
  const { object } = await generateObject({ model, ...toGenerateObject(prompt, { what: 'x' }) })
  expectTypeOf(object).toEqualTypeOf<{ note: string }>()
  const output = await generateText({
    model,
    ...toGenerateText(prompt, { what: 'x' }, { output: Output.object }),
  })
  expectTypeOf(output.output).toEqualTypeOf<{ note: string }>()
})

it('what an adapter makes is the caller’s own: nothing of the frozen prompt is in it', async () => {
  const transport = createMemoryTransport()
  const registry = createRegistry({ transport })
  onTestFinished(() => registry.close())
  const modelConfig = { ...SETTINGS, logit_bias: { a: 1 } }
  await registry.register({ name: 'notes', template: CHAT, modelConfig, responseFormat: CLOSED_SCHEMA })
  const prompt = await registry.load('notes', { version: 1 })
  const isFrozen = (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    (Object.isFrozen(value) || Object.values(value).some(isFrozen))
  expect(isFrozen(prompt)).toBe(true)
  expect(isFrozen(toChatCompletion(prompt, { what: 'x' }))).toBe(false)
  expect(isFrozen(toMessage(prompt, { what: 'x' }))).toBe(false)
})
