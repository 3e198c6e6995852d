import { InvalidInput } from '../errors.ts'
import type { Adaption } from './adapter.ts'
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
import { type Part, readTurns, refuseFields, type Turn, textOf } from './turns.ts'

export interface ResponseOptions extends AdapterOptions, TextOptions {}

/** Fits `client.responses.create`; settings of the provider's own are there too, under their own names. */
export interface ResponseParams {
  model: string
  /** A text prompt with `as: 'system'`. */
  instructions?: string
  input: ResponseItem[]
  temperature?: number
  max_output_tokens?: number
  top_p?: number
  reasoning?: { effort: ReasoningEffort }
  text?: {
    verbosity?: 'low' | 'medium' | 'high'
    format?: { type: 'json_schema'; name: string; schema: Record<string, unknown>; strict: boolean }
  }
}

type ReasoningEffort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh'

export type ResponseItem =
  | { role: 'system' | 'developer' | 'user' | 'assistant'; content: string | (TextPart | ImagePart)[] }
  | { type: 'function_call'; call_id: string; name: string; arguments: string }
  | { type: 'function_call_output'; call_id: string; output: string }

interface TextPart {
  type: 'input_text'
  text: string
}
interface ImagePart {
  type: 'input_image'
  image_url: string
  detail: 'auto' | 'low' | 'high'
}

/**
 * Parameters of OpenAI's responses: `client.responses.create(toResponse(prompt, values))`.
 *
 * @throws {RegistryError} what `format` throws; `INVALID_INPUT` for what responses do not know: penalties, stop
 *   sequences, `top_k`, names of speakers, audio
 */
export function toResponse<P extends AdapterPrompt>(
  prompt: P,
  ...args: AdapterArguments<P, ResponseOptions>
): ResponseParams {
  return adapt("OpenAI's responses", prompt, args, (adaption) => {
    const { named, extra } = readSettings(adaption, RULES)
    const { effort, verbosity, ...settings } = named
    const schema = readResponseSchema(adaption)
    const text = {
      ...(verbosity !== undefined && { verbosity: verbosity as 'low' }),
      ...(schema && { format: { type: 'json_schema' as const, ...schema } }),
    }
    const { formatted, as } = adaption
    return {
      model: requireModel(adaption),
      ...(typeof formatted === 'string' && as === 'system'
        ? { instructions: formatted, input: [] }
        : { input: readTurns(adaption).flatMap((turn) => toItems(adaption, turn)) }),
      ...settings,
      ...extra,
      ...(effort !== undefined && { reasoning: { effort: effort as ReasoningEffort } }),
      ...(Object.keys(text).length > 0 && { text }),
    }
  })
}

const RULES: SettingRules = {
  names: {
    temperature: 'temperature',
    max_tokens: 'max_output_tokens',
    top_p: 'top_p',
    // The names that chat completions have for what these are here.
    reasoning_effort: 'effort',
    verbosity: 'verbosity',
  },
  owned: [
    'model',
    'input',
    'instructions',
    'messages',
    'tools',
    'tool_choice',
    'stream',
    'stream_options',
    'response_format',
    'text',
    'reasoning',
    'prompt',
    'conversation',
    'previous_response_id',
    'background',
    'n',
  ],
  sendsExtras: true,
}

function toItems(adaption: Adaption, turn: Turn): ResponseItem[] {
  refuseFields(adaption, turn, ['name', 'refusal'])
  const { role, content, calls, callId = '', rest } = turn
  if (role === 'tool') {
    return [{ ...rest, type: 'function_call_output', call_id: callId, output: textOf(turn) }]
  }
  // Parts of what an assistant said have ids of the API's own; its text has none.
  const said = role === 'assistant' || typeof content !== 'object' ? textOf(turn) : content.map(toPart(turn))
  return [
    ...(content === undefined && calls.length > 0 ? [] : [{ ...rest, role, content: said }]),
    ...calls.map(({ id, name, arguments: text, rest }) => ({
      ...rest,
      type: 'function_call' as const,
      call_id: id,
      name,
      arguments: text,
    })),
  ]
}

const toPart =
  ({ at }: Turn) =>
  (part: Part, i: number): TextPart | ImagePart => {
    const { rest } = part
    if (part.type === 'text') return { ...rest, type: 'input_text', text: part.text }
    if (part.type === 'image') {
      return { ...rest, type: 'input_image', image_url: part.url, detail: part.detail ?? 'auto' }
    }
    throw new InvalidInput(`${at}.content[${i}] is audio, which OpenAI's responses do not take`)
  }
