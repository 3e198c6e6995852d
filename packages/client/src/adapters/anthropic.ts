/**
 * Call parameters for `@anthropic-ai/sdk`.
 * @module
 */
import { InvalidInput } from '../errors.ts'
import type { JsonObject } from '../prompt.ts'
import { refuse } from '../refuse.ts'
import {
  type AdapterArguments,
  type AdapterOptions,
  type AdapterPrompt,
  type Adaption,
  adapt,
  requireModel,
  type TextOptions,
} from './adapter.ts'
import { readResponseSchema } from './response-schema.ts'
import { readSettings, type SettingRules } from './settings.ts'
import { inputOf, type Part, readTurns, refuseFields, type Turn, textOf } from './turns.ts'

export type { AdapterOptions, AdapterPrompt, TextOptions } from './adapter.ts'

export interface MessageOptions extends AdapterOptions, TextOptions {
  /** Where the prompt says no `max_tokens`: Anthropic's API requires one, and there is no limit that is right for all. */
  readonly maxTokens?: number | undefined
}

/** Fits `client.messages.create`; settings of the provider's own are there too, under their own names. */
export interface MessageParams {
  model: string
  max_tokens: number
  /** The system texts that the prompt begins with. */
  system?: string | TextBlock[]
  messages: Message[]
  /** These three are in Anthropic's API, and no longer in its SDK's types: newer models refuse them. */
  temperature?: number
  top_p?: number
  top_k?: number
  stop_sequences?: string[]
  output_config?: { format: { type: 'json_schema'; schema: Record<string, unknown> } }
}

export type Message =
  | { role: 'system'; content: string }
  | { role: 'user'; content: string | (TextBlock | ImageBlock | ToolResultBlock)[] }
  | { role: 'assistant'; content: string | (TextBlock | ToolUseBlock)[] }

interface TextBlock {
  type: 'text'
  text: string
}
interface ImageBlock {
  type: 'image'
  source: { type: 'url'; url: string } | { type: 'base64'; media_type: MediaType; data: string }
}
interface ToolUseBlock {
  type: 'tool_use'
  id: string
  name: string
  input: JsonObject
}
interface ToolResultBlock {
  type: 'tool_result'
  tool_use_id: string
  content: string
}

const MEDIA_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'] as const
type MediaType = (typeof MEDIA_TYPES)[number]

/**
 * Parameters of a message: `client.messages.create(toMessage(prompt, values))`. The system messages that a chat prompt
 * begins with are `system`; tool results become parts of the user's turn, as Anthropic has them.
 *
 * @throws {RegistryError} what `format` throws; `INVALID_INPUT` without any `max_tokens`, and for what messages do not
 *   know: penalties, names of speakers, audio
 */
export function toMessage<P extends AdapterPrompt>(
  prompt: P,
  ...args: AdapterArguments<P, MessageOptions>
): MessageParams {
  const { maxTokens } = args[1] ?? {}
  if (maxTokens !== undefined && !(Number.isInteger(maxTokens) && maxTokens > 0)) {
    refuse('options.maxTokens', maxTokens, 'a whole number above 0')
  }
  return adapt("Anthropic's messages", prompt, args, (adaption) => {
    const { named, extra } = readSettings(adaption, RULES)
    const { max_tokens = maxTokens, ...settings } = named
    if (max_tokens === undefined) {
      throw new InvalidInput(
        'Anthropic requires a limit: give modelConfig.max_tokens to the prompt, or maxTokens to this call',
      )
    }
    const turns = readTurns(adaption)
    const first = turns.findIndex(({ role }) => role !== 'system' && role !== 'developer')
    const [opening, talk] = first < 0 ? [turns, []] : [turns.slice(0, first), turns.slice(first)]
    const format = readResponseSchema(adaption)
    return {
      model: requireModel(adaption),
      max_tokens: max_tokens as number,
      ...(opening.length > 0 && { system: systemOf(adaption, opening) }),
      messages: joinResults(talk.map((turn) => toTurn(adaption, turn))),
      ...settings,
      ...extra,
      ...(format && { output_config: { format: { type: 'json_schema', schema: format.schema } } }),
    }
  })
}

const RULES: SettingRules = {
  names: {
    temperature: 'temperature',
    max_tokens: 'max_tokens',
    top_p: 'top_p',
    top_k: 'top_k',
    stop_sequences: 'stop_sequences',
  },
  owned: [
    'model',
    'messages',
    'system',
    'tools',
    'tool_choice',
    'stream',
    'response_format',
    'output_config',
  ],
  sendsExtras: true,
}

/** One text as it is; several as blocks, so that none is joined to another. */
function systemOf(adaption: Adaption, turns: readonly Turn[]): string | TextBlock[] {
  const blocks = turns.flatMap((turn) => {
    refuseFields(adaption, turn, ['name'])
    if (typeof turn.content !== 'object') return [{ ...turn.rest, type: 'text' as const, text: textOf(turn) }]
    return turn.content.map((part) => toBlock(adaption, turn, part) as TextBlock)
  })
  const [only] = blocks
  return only && blocks.length === 1 && Object.keys(only).length === 2 ? only.text : blocks
}

function toTurn(adaption: Adaption, turn: Turn): Message {
  refuseFields(adaption, turn, ['name', 'refusal'])
  const { role, content, calls, callId = '', rest } = turn
  if (role === 'tool') {
    const result = { ...rest, type: 'tool_result' as const, tool_use_id: callId, content: textOf(turn) }
    return { role: 'user', content: [result] }
  }
  if (role === 'system' || role === 'developer') return { ...rest, role: 'system', content: textOf(turn) }
  const blocks =
    typeof content === 'object' ? content.map((part) => toBlock(adaption, turn, part)) : undefined
  if (role === 'user') return { ...rest, role, content: blocks ?? textOf(turn) }
  if (calls.length === 0)
    return { ...rest, role, content: (blocks as TextBlock[] | undefined) ?? textOf(turn) }
  const said = blocks ?? (content ? [{ type: 'text' as const, text: textOf(turn) }] : [])
  const uses = calls.map((call) => {
    const { id, name, rest } = call
    return { ...rest, type: 'tool_use' as const, id, name, input: inputOf(call, turn.at) }
  })
  return { ...rest, role, content: [...(said as TextBlock[]), ...uses] }
}

/** The results of one turn's calls belong into one turn of the user. */
function joinResults(messages: readonly Message[]): Message[] {
  const joined: Message[] = []
  for (const message of messages) {
    const last = joined.at(-1)
    if (last?.role === 'user' && message.role === 'user' && isResults(last) && isResults(message)) {
      joined[joined.length - 1] = { ...last, content: [...last.content, ...message.content] }
    } else joined.push(message)
  }
  return joined
}

const isResults = (message: Message): message is { role: 'user'; content: ToolResultBlock[] } =>
  Array.isArray(message.content) && message.content.every(({ type }) => type === 'tool_result')

function toBlock(adaption: Adaption, { at }: Turn, part: Part): TextBlock | ImageBlock {
  const { rest } = part
  if (part.type === 'text') return { ...rest, type: 'text', text: part.text }
  if (part.type === 'audio') throw new InvalidInput(`${at} holds audio, which ${adaption.target} do not take`)
  if (part.detail !== undefined) {
    throw new InvalidInput(
      `${at} asks for an image's detail, which ${adaption.target} do not know; leave it out by omit: ["detail"]`,
    )
  }
  return { ...rest, type: 'image', source: toSource(part.url, at) }
}

function toSource(url: string, at: string): ImageBlock['source'] {
  if (!url.startsWith('data:')) return { type: 'url', url }
  const [, type, data] = /^data:([^;,]+);base64,(.*)$/s.exec(url) ?? []
  const mediaType = MEDIA_TYPES.find((known) => known === type)
  if (!mediaType || data === undefined) {
    throw new InvalidInput(`${at} holds an image as data: it must be base64 of ${MEDIA_TYPES.join(', ')}`)
  }
  return { type: 'base64', media_type: mediaType, data }
}
