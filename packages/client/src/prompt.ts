import type {
  AnyPrompts,
  AnyShape,
  FormatArguments,
  Formatted,
  Known,
  PromptCatalog,
  PromptName,
  PromptOf,
  PromptShape,
  ResponseFormat,
  TemplateOf,
} from './typed.ts'

/** Any value JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

/** One message of a chat prompt, in MLflow's wire form. Unknown keys are kept. */
export interface ChatMessage {
  readonly role: string
  /** Text, or multimodal parts; absent or null when the message only carries tool calls. */
  readonly content?: string | readonly JsonObject[] | null
  readonly name?: string
  readonly tool_calls?: readonly JsonObject[]
  readonly tool_call_id?: string
  readonly [key: string]: Json | undefined
}

/** A text prompt, or the messages of a chat prompt. */
export type Template = string | readonly ChatMessage[]

/**
 * Model settings stored beside the text, under MLflow's own field names so that Python reads the same object.
 * Further keys are kept and sent on as they are.
 */
export interface ModelConfig {
  readonly provider?: string
  readonly model_name?: string
  /** ≥ 0 */
  readonly temperature?: number
  /** > 0, in tokens */
  readonly max_tokens?: number
  /** 0…1 */
  readonly top_p?: number
  /** > 0 */
  readonly top_k?: number
  readonly frequency_penalty?: number
  readonly presence_penalty?: number
  readonly stop_sequences?: readonly string[]
  readonly [key: string]: Json | undefined
}

/** An immutable version as a registry holds it. */
export interface PromptVersion {
  readonly name: string
  /** ≥ 1; starts again at 1 when a prompt is deleted and made anew, so a number alone is no identity. */
  readonly version: number
  readonly template: Template
  readonly modelConfig?: ModelConfig
  readonly responseFormat?: JsonObject
  readonly commitMessage: string
  /** Version tags without the ones that hold the content. */
  readonly tags: Readonly<Record<string, string>>
  /** Aliases that point here, as far as this answer says. */
  readonly aliases: readonly string[]
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** See `digestOf`. */
  readonly digest: string
}

/** A prompt as the registry lists it: no text. */
export interface PromptInfo {
  readonly name: string
  readonly description: string
  readonly tags: Readonly<Record<string, string>>
  readonly aliases: Readonly<Record<string, number>>
  /** Newest live version, absent when there is none. */
  readonly latestVersion?: number
  readonly createdAt: number
  readonly updatedAt: number
}

/** Which step answered a load (docs: order of sources). */
export type PromptSource = 'registry' | 'cache' | 'stale' | 'snapshot' | 'default'

/** What a run records about one prompt that it used. */
export interface Lineage {
  /** 0 for a bundled default. */
  readonly version: number
  /** The alias that answered, absent when a version was asked for by number. */
  readonly alias?: string
  readonly digest: string
  readonly source: PromptSource
  /** Age of the value when the run resolved it, in milliseconds. */
  readonly ageMs: number
}

/** A loaded prompt: deeply frozen. @typeParam S - What is known of it before it is loaded. Default: nothing. */
export interface Prompt<S extends PromptShape = AnyShape> {
  readonly name: string
  /** 0 for a bundled default. */
  readonly version: number
  /** The alias that answered (of a chain: the one that did), absent when loaded by number. */
  readonly alias?: string
  readonly template: TemplateOf<S['kind']>
  readonly modelConfig?: ModelConfig
  /** A JSON Schema. `parseResponse` of `@promptkeep/client/zod` reads an answer by it. */
  readonly responseFormat?: ResponseFormat<S['response']>
  readonly tags: Readonly<Record<string, string>>
  readonly source: PromptSource
  /** True for `default` only. */
  readonly isFallback: boolean
  readonly digest: string
  /** Variables of the template in order of first appearance. */
  readonly variables: readonly string[]
  /** Milliseconds since the registry confirmed this value; a getter. 0 for a default. */
  readonly ageMs: number
  /**
   * Fills the variables, in one pass: a value is never expanded again.
   * @returns A string for a text prompt, messages for a chat prompt.
   * @throws {RegistryError} `MISSING_VARIABLES` names every missing one; `INVALID_INPUT` for unknown extras or Jinja.
   */
  format(...values: FormatArguments<S>): Formatted<S['kind']>
}

/** Several prompts resolved together and pinned for one run. */
export interface PromptSet<P extends PromptCatalog = AnyPrompts> {
  readonly '~prompts'?: Known<P>
  readonly names: readonly PromptName<P>[]
  /** @throws {RegistryError} `INVALID_INPUT` for a name that is not in the set. */
  get<N extends PromptName<P>>(name: N): PromptOf<P, N>
  /** Over names, versions and digests. */
  readonly fingerprint: string
  readonly versions: Readonly<Record<PromptName<P>, Lineage>>
}

/** What is the same for every load of one version: made once, frozen, shared. */
export interface PromptBody {
  readonly name: string
  readonly version: number
  readonly template: Template
  readonly modelConfig?: ModelConfig | undefined
  readonly responseFormat?: JsonObject | undefined
  readonly tags: Readonly<Record<string, string>>
  readonly digest: string
  readonly variables: readonly string[]
  readonly format: Prompt['format']
}

export interface PromptOrigin {
  readonly source: PromptSource
  readonly alias?: string | undefined
  /** When the registry last said this, in milliseconds since the epoch; absent for a default. */
  readonly confirmedAt?: number | undefined
  readonly now: () => number
}

/** The value that a load returns. */
export function makePrompt(body: PromptBody, { source, alias, confirmedAt, now }: PromptOrigin): Prompt {
  return Object.freeze({
    ...body,
    ...(alias !== undefined && { alias }),
    source,
    isFallback: source === 'default',
    get ageMs() {
      return confirmedAt === undefined ? 0 : Math.max(0, now() - confirmedAt)
    },
  }) as Prompt
}
