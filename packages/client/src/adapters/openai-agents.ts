/**
 * Options for an agent of `@openai/agents`.
 * @module
 */

import { isObject } from '../check-json.ts'
import { InvalidInput } from '../errors.ts'
import type { Json } from '../prompt.ts'
import { refuse } from '../refuse.ts'
import {
  type AdapterArguments,
  type AdapterOptions,
  type AdapterPrompt,
  type Adaption,
  adapt,
} from './adapter.ts'
import { type ResponseSchema, readResponseSchema } from './response-schema.ts'
import { readSettings, type SettingRules } from './settings.ts'
import { readTurns, refuseFields, textOf } from './turns.ts'

export type { AdapterOptions, AdapterPrompt } from './adapter.ts'

export interface AgentOptions extends AdapterOptions {
  /** Which of OpenAI's APIs the agent's model speaks. Default `responses`, as in the SDK. */
  readonly api?: 'responses' | 'chat' | undefined
}

/** Fits `new Agent({ name, ...toAgentOptions(prompt) })`. */
export interface AgentParams {
  instructions: string
  /** Absent when neither the prompt nor the caller names one: then it is the SDK's own default. */
  model?: string
  modelSettings: {
    temperature?: number
    topP?: number
    maxTokens?: number
    frequencyPenalty?: number
    presencePenalty?: number
    reasoning?: { effort: 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' }
    text?: { verbosity: 'low' | 'medium' | 'high' }
    /** Settings of the provider's own, under their own names. */
    providerData?: Record<string, Json>
  }
  /** Absent without a response format. With one, `finalOutput` is a value and no text. */
  outputType?: AgentOutput
}

export interface AgentOutput {
  type: 'json_schema'
  name: string
  strict: boolean
  schema: ClosedObject | OpenObject
}

interface ObjectSchema {
  type: 'object'
  properties: Record<string, Record<string, unknown>>
  required: string[]
}
interface ClosedObject extends ObjectSchema {
  additionalProperties: false
}
interface OpenObject extends ObjectSchema {
  additionalProperties: true
}

/**
 * Options of an agent: `new Agent({ name: 'memory', ...toAgentOptions(prompt, values) })`. The prompt is the agent's
 * instructions: a text, or chat messages that are all of the system, with a blank line between.
 *
 * @throws {RegistryError} what `format` throws; `INVALID_INPUT` for settings that the chosen API does not know, for
 *   messages that are no instructions, and for a response format that is no object
 */
export function toAgentOptions<P extends AdapterPrompt>(
  prompt: P,
  ...args: AdapterArguments<P, AgentOptions>
): AgentParams {
  const { api = 'responses' } = args[1] ?? {}
  if (api !== 'responses' && api !== 'chat') refuse('options.api', api, '"responses" or "chat"')
  return adapt(`agents over ${api}`, prompt, args, (adaption) => {
    const { named, extra } = readSettings(adaption, RULES[api])
    const { effort, verbosity, stop, ...settings } = named
    const providerData = { ...extra, ...(stop !== undefined && { stop }) }
    const output = readResponseSchema(adaption)
    return {
      instructions: instructionsOf(adaption),
      ...(adaption.model !== undefined && { model: adaption.model }),
      modelSettings: {
        ...settings,
        ...(effort !== undefined && { reasoning: { effort: effort as 'low' } }),
        ...(verbosity !== undefined && { text: { verbosity: verbosity as 'low' } }),
        ...(Object.keys(providerData).length > 0 && { providerData }),
      },
      ...(output && { outputType: toOutput(output) }),
    }
  })
}

const SHARED = {
  temperature: 'temperature',
  max_tokens: 'maxTokens',
  top_p: 'topP',
  reasoning_effort: 'effort',
  verbosity: 'verbosity',
}

/** What an agent or its run says by itself. Its SDK would put these into the request as they are. */
const OWNED = [
  'model',
  'input',
  'messages',
  'instructions',
  'prompt',
  'tools',
  'tool_choice',
  'functions',
  'function_call',
  'stream',
  'stream_options',
  'response_format',
  'text',
  'reasoning',
  'conversation',
  'previous_response_id',
  'n',
]

/** The SDK's model for responses leaves out penalties that an agent has, so they are refused here, where it is seen. */
const RULES: Readonly<Record<'responses' | 'chat', SettingRules>> = {
  responses: { names: SHARED, owned: OWNED, sendsExtras: true },
  chat: {
    names: {
      ...SHARED,
      frequency_penalty: 'frequencyPenalty',
      presence_penalty: 'presencePenalty',
      stop_sequences: 'stop',
    },
    owned: OWNED,
    sendsExtras: true,
  },
}

function instructionsOf(adaption: Adaption): string {
  if (typeof adaption.formatted === 'string') return adaption.formatted
  const blocks = readTurns(adaption).map((turn) => {
    const { at, role } = turn
    if (role !== 'system' && role !== 'developer') {
      throw new InvalidInput(
        `${at}.role is "${role}": an agent's instructions are of the role system; give the rest of a conversation to run()`,
      )
    }
    refuseFields(adaption, turn, ['name'])
    return textOf(turn)
  })
  return blocks.join('\n\n')
}

/** The SDK's type wants all of what JSON Schema itself gives defaults for. */
function toOutput({ name, strict, schema }: ResponseSchema): AgentOutput {
  const { type, properties = {}, required = [], additionalProperties = true } = schema
  if (type !== 'object' || !isObject(properties) || typeof additionalProperties !== 'boolean') {
    throw new InvalidInput(
      'responseFormat must be a JSON Schema of an object whose additionalProperties is true or false',
    )
  }
  const full = { ...schema, type, properties, required, additionalProperties }
  return { type: 'json_schema', name, strict, schema: full as unknown as AgentOutput['schema'] }
}
