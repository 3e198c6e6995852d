/**
 * Call parameters for the Vercel AI SDK (`ai`).
 * @module
 */
import { InvalidInput } from '../errors.ts'
import type { Json, JsonObject } from '../prompt.ts'
import { refuse } from '../refuse.ts'
import {
  type AdapterArguments,
  type AdapterOptions,
  type AdapterPrompt,
  type Adaption,
  adapt,
  type ResponseOf,
  type TextOptions,
} from './adapter.ts'
import { readResponseSchema } from './response-schema.ts'
import { readSettings, type SettingRules } from './settings.ts'
import { inputOf, type Part, readTurns, refuseFields, type Turn, textOf } from './turns.ts'

export type { AdapterOptions, AdapterPrompt, TextOptions } from './adapter.ts'

export interface GenerateOptions extends Omit<AdapterOptions, 'model'>, TextOptions {
  /**
   * Under which key of `providerOptions` the settings named in `send` go, in camel case. Default: the prompt's
   * `provider`.
   */
  readonly provider?: string | undefined
}

export interface GenerateTextOptions<T, Output> extends GenerateOptions {
  /** The SDK's own `Output.object`. */
  readonly output: (options: { schema: ResponseFormatSchema<T>; name: string }) => Output
}

export interface CallParams {
  system?: string | { role: 'system'; content: string }[]
  /** Present when a system message stands in the middle of the conversation: the prompt's author put it there. */
  allowSystemInMessages?: true
  messages: ModelMessage[]
  maxOutputTokens?: number
  temperature?: number
  topP?: number
  topK?: number
  frequencyPenalty?: number
  presencePenalty?: number
  stopSequences?: string[]
  seed?: number
  providerOptions?: Record<string, Record<string, JsonValue>>
}

/** With the prompt's response format as what is to come out. */
export interface GenerateTextParams<Output> extends CallParams {
  output: Output
}

/** Fits `generateObject` and `streamObject`. */
export interface GenerateObjectParams<T = unknown> extends Omit<CallParams, 'stopSequences'> {
  schema: ResponseFormatSchema<T>
  schemaName: string
}

/** The prompt's response format by the Standard Schema protocol. As the SDK's `jsonSchema()`: it checks no value. */
export interface ResponseFormatSchema<T = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: 'promptkeep'
    readonly types?: { readonly input: unknown; readonly output: T }
    readonly validate: (value: unknown) => { readonly value: T }
    readonly jsonSchema: {
      readonly input: (options: object) => Record<string, unknown>
      readonly output: (options: object) => Record<string, unknown>
    }
  }
}

type JsonValue = null | string | number | boolean | { [key: string]: JsonValue | undefined } | JsonValue[]

export type ModelMessage =
  | { role: 'system'; content: string }
  | { role: 'user'; content: string | (TextPart | ImagePart | FilePart)[] }
  | { role: 'assistant'; content: string | (TextPart | ToolCallPart)[] }
  | { role: 'tool'; content: ToolResultPart[] }

interface TextPart {
  type: 'text'
  text: string
}
interface ImagePart {
  type: 'image'
  image: string
}
interface FilePart {
  type: 'file'
  data: string
  mediaType: string
}
interface ToolCallPart {
  type: 'tool-call'
  toolCallId: string
  toolName: string
  input: JsonObject
}
interface ToolResultPart {
  type: 'tool-result'
  toolCallId: string
  toolName: string
  output: { type: 'text'; value: string }
}

/**
 * Parameters of `generateText` and `streamText`: `generateText({ model, ...toGenerateText(prompt, values) })`. The model
 * object is the caller's: `openai(prompt.modelConfig?.model_name ?? 'gpt-5-mini')`.
 *
 * @param options.output - Needed when the prompt has a response format, and refused when it has none.
 * @throws {RegistryError} what `format` throws; `INVALID_INPUT` for settings that are no parameters of the SDK
 */
export function toGenerateText<P extends AdapterPrompt, Output>(
  prompt: P,
  values: Parameters<P['format']>[0],
  options: GenerateTextOptions<ResponseOf<P>, Output>,
): GenerateTextParams<Output>
export function toGenerateText<P extends AdapterPrompt>(
  prompt: P,
  ...args: AdapterArguments<P, GenerateOptions>
): CallParams
export function toGenerateText(
  prompt: AdapterPrompt,
  ...args: [values?: unknown, options?: Partial<GenerateTextOptions<unknown, unknown>>]
): CallParams & { output?: unknown } {
  const { output, provider } = args[1] ?? {}
  if (output !== undefined && typeof output !== 'function')
    refuse('options.output', output, 'Output.object of the SDK')
  return adapt(TARGET, prompt, args, (adaption) => {
    const format = readResponseSchema(adaption)
    if (format && !output) {
      throw new InvalidInput(
        'it has a response format: give output: Output.object of the SDK, or leave it out by omit: ["response_format"]',
      )
    }
    if (!format && output) throw new InvalidInput('it has no response format, which options.output needs')
    return {
      ...readCall(adaption, provider),
      ...(format && output && { output: output({ schema: toSchema(format.schema), name: format.name }) }),
    }
  })
}

/**
 * Parameters of `generateObject` and `streamObject`, with the prompt's response format as the schema.
 * @throws {RegistryError} as {@link toGenerateText}; `INVALID_INPUT` without a response format, and for stop sequences
 */
export function toGenerateObject<P extends AdapterPrompt>(
  prompt: P,
  ...args: AdapterArguments<P, GenerateOptions>
): GenerateObjectParams<ResponseOf<P>> {
  return adapt(TARGET, prompt, args, (adaption) => {
    const format = readResponseSchema(adaption)
    if (!format) throw new InvalidInput('it has no response format, which generateObject needs')
    const { stopSequences, ...call } = readCall(adaption, args[1]?.provider)
    if (stopSequences) {
      throw new InvalidInput(
        'generateObject takes no modelConfig.stop_sequences; leave them out by omit: ["stop_sequences"]',
      )
    }
    return { ...call, schema: toSchema(format.schema), schemaName: format.name }
  })
}

const TARGET = 'calls of the AI SDK'

const RULES: SettingRules = {
  names: {
    temperature: 'temperature',
    max_tokens: 'maxOutputTokens',
    top_p: 'topP',
    top_k: 'topK',
    frequency_penalty: 'frequencyPenalty',
    presence_penalty: 'presencePenalty',
    stop_sequences: 'stopSequences',
    seed: 'seed',
  },
  owned: ['model', 'messages', 'prompt', 'system', 'tools', 'tool_choice', 'stream', 'response_format'],
  // The SDK's providers take only the options that they know and drop the others unseen.
  sendsExtras: false,
}

function readCall(adaption: Adaption, given?: string): CallParams {
  const { named, extra } = readSettings(adaption, RULES)
  const provider = given ?? adaption.prompt.modelConfig?.provider
  const sent = Object.entries(extra)
  if (sent.length > 0 && provider === undefined) {
    throw new InvalidInput(
      `modelConfig.${sent[0]?.[0]} needs a provider to be sent to: give modelConfig.provider to the prompt, or provider to this call`,
    )
  }
  const turns = readTurns(adaption)
  const first = turns.findIndex(({ role }) => role !== 'system' && role !== 'developer')
  const [opening, talk] = first < 0 ? [turns, []] : [turns.slice(0, first), turns.slice(first)]
  const system = opening.map(
    (turn) => toMessage(adaption, turn, turns) as { role: 'system'; content: string },
  )
  const messages = talk.map((turn) => toMessage(adaption, turn, turns))
  return {
    ...(system.length > 0 && { system: system.length === 1 ? (system[0]?.content ?? '') : system }),
    ...(messages.some(({ role }) => role === 'system') && { allowSystemInMessages: true }),
    messages,
    ...named,
    ...(sent.length > 0 && {
      providerOptions: {
        [provider as string]: Object.fromEntries(
          sent.map(([key, value]) => [toCamelCase(key), value as Json as JsonValue]),
        ),
      },
    }),
  }
}

const toCamelCase = (name: string) =>
  name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

function toMessage(adaption: Adaption, turn: Turn, turns: readonly Turn[]): ModelMessage {
  const { role, content, calls, callId = '', name, at, rest } = turn
  refuseFields(adaption, turn, role === 'tool' ? ['refusal'] : ['name', 'refusal'])
  if (role === 'system' || role === 'developer') return { ...rest, role: 'system', content: textOf(turn) }
  if (role === 'tool') {
    const call = turns.flatMap(({ calls }) => calls).find(({ id }) => id === callId)
    const toolName = call?.name ?? name
    if (toolName === undefined) {
      throw new InvalidInput(
        `${at}.tool_call_id is "${callId}": no message before it calls a tool by that id`,
      )
    }
    const output = { type: 'text' as const, value: textOf(turn) }
    return { role, content: [{ ...rest, type: 'tool-result', toolCallId: callId, toolName, output }] }
  }
  if (role === 'user') {
    return { ...rest, role, content: typeof content === 'object' ? content.map(toPart(at)) : textOf(turn) }
  }
  if (calls.length === 0) return { ...rest, role, content: textOf(turn) }
  const text = textOf(turn)
  const parts = calls.map((call) => {
    const { id: toolCallId, name: toolName, rest } = call
    return { ...rest, type: 'tool-call' as const, toolCallId, toolName, input: inputOf(call, at) }
  })
  return { ...rest, role, content: [...(text === '' ? [] : [{ type: 'text' as const, text }]), ...parts] }
}

const toPart =
  (at: string) =>
  (part: Part): TextPart | ImagePart | FilePart => {
    const { rest } = part
    if (part.type === 'text') return { ...rest, type: 'text', text: part.text }
    if (part.type === 'audio') {
      const mediaType = part.format === 'wav' ? 'audio/wav' : 'audio/mpeg'
      return { ...rest, type: 'file', data: part.data, mediaType }
    }
    if (part.detail !== undefined) {
      throw new InvalidInput(
        `${at} asks for an image's detail, which the AI SDK leaves to each provider; leave it out by omit: ["detail"]`,
      )
    }
    return { ...rest, type: 'image', image: part.url }
  }

function toSchema<T>(schema: Record<string, unknown>): ResponseFormatSchema<T> {
  const jsonSchema = () => structuredClone(schema)
  return {
    '~standard': {
      version: 1,
      vendor: 'promptkeep',
      // The SDK parsed it from JSON; whether it matches is not checked here, as with its own `jsonSchema()`.
      validate: (value) => ({ value: value as T }),
      jsonSchema: { input: jsonSchema, output: jsonSchema },
    },
  }
}
