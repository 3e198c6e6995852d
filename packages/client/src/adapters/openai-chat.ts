import { InvalidInput } from '../errors.ts'
import {
  type AdapterArguments,
  type AdapterOptions,
  type AdapterPrompt,
  adapt,
  requireModel,
  type TextOptions,
} from './adapter.ts'
import { readResponseSchema } from './response-schema.ts'
import { readSettings, type SettingRules } from './settings.ts'
import { type Part, readTurns, type Turn, textOf } from './turns.ts'

export interface ChatCompletionOptions extends AdapterOptions, TextOptions {
  /**
   * What `max_tokens` is sent as. Default `max_completion_tokens`, OpenAI's name since its reasoning models, which
   * refuse the old one; `max_tokens` for servers that know only that.
   */
  readonly maxTokens?: 'max_completion_tokens' | 'max_tokens' | undefined
}

/** Fits `client.chat.completions.create`; settings of the provider's own are there too, under their own names. */
export interface ChatCompletionParams {
  model: string
  messages: ChatCompletionMessage[]
  temperature?: number
  max_completion_tokens?: number
  max_tokens?: number
  top_p?: number
  frequency_penalty?: number
  presence_penalty?: number
  stop?: string[]
  response_format?: {
    type: 'json_schema'
    json_schema: { name: string; schema: Record<string, unknown>; strict: boolean }
  }
}

export type ChatCompletionMessage =
  | { role: 'system' | 'developer'; content: string | TextPart[]; name?: string }
  | { role: 'user'; content: string | (TextPart | ImagePart | AudioPart)[]; name?: string }
  | {
      role: 'assistant'
      content?: string | TextPart[] | null
      name?: string
      refusal?: string
      tool_calls?: { id: string; type: 'function'; function: { name: string; arguments: string } }[]
    }
  | { role: 'tool'; content: string | TextPart[]; tool_call_id: string }

interface TextPart {
  type: 'text'
  text: string
}
interface ImagePart {
  type: 'image_url'
  image_url: { url: string; detail?: 'low' | 'high' }
}
interface AudioPart {
  type: 'input_audio'
  input_audio: { data: string; format: 'wav' | 'mp3' }
}

/**
 * Parameters of a chat completion: `client.chat.completions.create(toChatCompletion(prompt, values))`. Spread them to add
 * tools, streaming or the conversation so far.
 *
 * @throws {RegistryError} what `format` throws; `INVALID_INPUT` for what chat completions do not know, as `top_k`
 */
export function toChatCompletion<P extends AdapterPrompt>(
  prompt: P,
  ...args: AdapterArguments<P, ChatCompletionOptions>
): ChatCompletionParams {
  const { maxTokens = 'max_completion_tokens' } = args[1] ?? {}
  if (maxTokens !== 'max_completion_tokens' && maxTokens !== 'max_tokens') {
    throw new InvalidInput('options.maxTokens must be "max_completion_tokens" or "max_tokens"')
  }
  return adapt("OpenAI's chat completions", prompt, args, (adaption) => {
    const { named, extra } = readSettings(adaption, rulesFor(maxTokens))
    const format = readResponseSchema(adaption)
    return {
      model: requireModel(adaption),
      messages: readTurns(adaption).map(toMessage),
      ...named,
      ...extra,
      ...(format && { response_format: { type: 'json_schema', json_schema: format } }),
    }
  })
}

const rulesFor = (maxTokens: string): SettingRules => ({
  names: {
    temperature: 'temperature',
    max_tokens: maxTokens,
    top_p: 'top_p',
    frequency_penalty: 'frequency_penalty',
    presence_penalty: 'presence_penalty',
    stop_sequences: 'stop',
  },
  owned: [
    'model',
    'messages',
    'tools',
    'tool_choice',
    'functions',
    'function_call',
    'stream',
    'stream_options',
    'response_format',
    'n',
  ],
  sendsExtras: true,
})

function toMessage(turn: Turn): ChatCompletionMessage {
  const { role, name, calls, callId = '', refusal, rest } = turn
  const named = name !== undefined && { name }
  if (role === 'user') {
    const content = typeof turn.content === 'object' ? turn.content.map(toPart) : textOf(turn)
    return { ...rest, role, content, ...named }
  }
  const content = typeof turn.content === 'object' ? turn.content.map(toTextPart) : turn.content
  if (role === 'tool') return { ...rest, role, content: content ?? '', tool_call_id: callId }
  if (role !== 'assistant') return { ...rest, role, content: content ?? '', ...named }
  return {
    ...rest,
    role,
    ...(content !== undefined && { content }),
    ...named,
    ...(refusal !== undefined && { refusal }),
    ...(calls.length > 0 && {
      tool_calls: calls.map(({ id, name, arguments: text, rest }) => ({
        ...rest,
        id,
        type: 'function' as const,
        function: { name, arguments: text },
      })),
    }),
  }
}

/** Of every role but the user's: `readTurns` let nothing else in. */
const toTextPart = (part: Part): TextPart => ({
  ...part.rest,
  type: 'text',
  text: part.type === 'text' ? part.text : '',
})

function toPart(part: Part): TextPart | ImagePart | AudioPart {
  const { rest } = part
  if (part.type === 'text') return { ...rest, type: 'text', text: part.text }
  if (part.type === 'audio') {
    return { ...rest, type: 'input_audio', input_audio: { data: part.data, format: part.format } }
  }
  const { url, detail } = part
  return { ...rest, type: 'image_url', image_url: { url, ...(detail && { detail }) } }
}
