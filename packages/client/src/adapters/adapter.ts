import { isObject } from '../check-json.ts'
import { InvalidInput, RegistryError } from '../errors.ts'
import type { ChatMessage, JsonObject, ModelConfig } from '../prompt.ts'
import { refuse } from '../refuse.ts'
import type { ResponseFormat } from '../typed.ts'

/** What an adapter reads of a loaded prompt: any `Prompt` fits, also one whose variables are typed. */
export interface AdapterPrompt {
  readonly name: string
  readonly version: number
  readonly modelConfig?: ModelConfig
  readonly responseFormat?: JsonObject
  format(...values: never[]): string | readonly ChatMessage[]
}

/** What follows the prompt: its values, as its own `format` asks for them, and options. */
export type AdapterArguments<P extends AdapterPrompt, Options> =
  Parameters<P['format']> extends readonly [unknown, ...unknown[]]
    ? [values: Parameters<P['format']>[0], options?: Options]
    : [values?: Parameters<P['format']>[0], options?: Options]

/** What the prompt's response format describes, as far as its type says. */
export type ResponseOf<P extends AdapterPrompt> =
  Exclude<P['responseFormat'], undefined> extends ResponseFormat<infer T> ? T : unknown

export interface AdapterOptions {
  /** In place of the prompt's own `model_name`; needed when it has none. */
  readonly model?: string | undefined
  /**
   * Settings and message fields of the prompt that this call goes without, by their names in the prompt. What the target
   * does not know is otherwise refused: nothing is left out unseen.
   */
  readonly omit?: readonly string[] | undefined
  /** Those that go out as they are although the target's API does not document them, for servers that do know them. */
  readonly send?: readonly string[] | undefined
}

export interface TextOptions {
  /** What a text prompt becomes. Default `user`: a request that is whole by itself. A chat prompt says its own roles. */
  readonly as?: 'system' | 'user' | undefined
}

/** What the parts of one adaption share. */
export interface Adaption {
  readonly prompt: AdapterPrompt
  /** Whose parameters are made, for messages: `OpenAI's chat completions`. */
  readonly target: string
  readonly formatted: string | readonly ChatMessage[]
  readonly as: 'system' | 'user'
  readonly model: string | undefined
  isOmitted(field: string): boolean
  isSent(field: string): boolean
}

/**
 * Fills the prompt and makes the parameters of one call.
 * @throws {RegistryError} what `format` throws; `INVALID_INPUT` naming the prompt and the field that does not fit
 */
export function adapt<T>(
  target: string,
  prompt: AdapterPrompt,
  [values, options = {}]: readonly [values?: unknown, options?: AdapterOptions & TextOptions],
  make: (adaption: Adaption) => T,
): T {
  const { omit = [], send = [], as = 'user', model } = checkOptions(options)
  const formatted = prompt.format(...([values] as never[]))
  try {
    return make({
      prompt,
      target,
      formatted,
      as,
      model:
        model ?? (omit.includes('model_name') ? undefined : (prompt.modelConfig?.model_name ?? undefined)),
      isOmitted: (field) => omit.includes(field),
      isSent: (field) => send.includes(field),
    })
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error
    throw new RegistryError(error.code, `prompt "${prompt.name}" version ${prompt.version}: ${error.message}`)
  }
}

/** The sentence for what a target does not know, with both ways out. */
export function unknown({ target }: Adaption, at: string, field: string): InvalidInput {
  return new InvalidInput(
    `${at} is nothing that ${target} know; leave it out by omit: ["${field}"], or send it as it is by send: ["${field}"]`,
  )
}

/** @throws {InvalidInput} when neither the prompt nor the caller names a model */
export function requireModel({ model }: Adaption): string {
  if (model !== undefined) return model
  throw new InvalidInput(
    'it names no model: give modelConfig.model_name to the prompt, or model to this call',
  )
}

function checkOptions(options: unknown): AdapterOptions & TextOptions {
  if (!isObject(options)) refuse('options', options, 'an object')
  const { model, as } = options
  if (model !== undefined && (typeof model !== 'string' || model === '')) {
    refuse('options.model', model, 'the name of a model')
  }
  if (as !== undefined && as !== 'system' && as !== 'user') refuse('options.as', as, '"system" or "user"')
  for (const key of ['omit', 'send']) {
    const names = options[key]
    if (names !== undefined && !(Array.isArray(names) && names.every((name) => typeof name === 'string'))) {
      refuse(`options.${key}`, names, 'a list of field names')
    }
  }
  return options
}
