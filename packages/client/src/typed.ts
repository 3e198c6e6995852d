import type { Default, Defaults, LoadOptions } from './options.ts'
import type { ChatMessage, JsonObject, Prompt } from './prompt.ts'

/** What fills a variable of a text. */
export type TextValue = string | number | bigint | boolean

/** What an app's compiler knows of one prompt before it is loaded: `promptkeep generate` writes these. */
export interface PromptShape {
  readonly kind: 'text' | 'chat'
  /** Names of its aliases. `latest` is one of every prompt's, and need not be listed. */
  readonly aliases: string
  /** What `format` takes. Of a prompt without variables: {@link NoVariables}. */
  readonly variables: object
  /** What its `responseFormat` describes; `unknown` when it has none. */
  readonly response: unknown
}

/** Nothing may be given: the type `{}` would take anything. */
export type NoVariables = Readonly<Record<string, never>>

/** Nothing is known: any alias, any values. */
export interface AnyShape extends PromptShape {
  readonly variables: Readonly<Record<string, unknown>>
}

/** The prompts that an app may load, by name. */
export type PromptCatalog = Readonly<Record<string, PromptShape>>

/** Any name: what a registry without a type parameter knows. */
export type AnyPrompts = Readonly<Record<string, AnyShape>>

export type PromptName<P extends PromptCatalog> = keyof P & string

/** Of one prompt, or of any: `latest` always, and those that its shape names. */
export type AliasName<P extends PromptCatalog, N extends keyof P = keyof P> = P[N]['aliases'] | 'latest'

/** Bundled texts of some of the prompts, or of all. */
export type DefaultsFor<P extends PromptCatalog> = string extends keyof P
  ? Defaults
  : { readonly [N in PromptName<P>]?: Default }

/** What `load` takes: a name, `name@alias`, `name/3`, each also with `prompts:/` before it. */
export type PromptReference<P extends PromptCatalog> = string extends keyof P
  ? string
  : {
      // Written out: the compiler's errors name what is allowed, and not this file's types.
      [N in keyof P & string]:
        | N
        | `${N}@${P[N]['aliases'] | 'latest'}`
        | `${N}/${number}`
        | `prompts:/${N}`
        | `prompts:/${N}@${P[N]['aliases'] | 'latest'}`
        | `prompts:/${N}/${number}`
    }[keyof P & string]

/** A loaded prompt as a reference says it. By number it is any: another version may have other variables. */
export type PromptOf<P extends PromptCatalog, R extends string> = string extends keyof P
  ? Prompt
  : R extends unknown // one prompt for each reference of a union
    ? Prompt<ShapeOf<P, R>>
    : never

/** `undefined` only where absence is allowed, no variables but any where a version is asked for by number. */
export type Loaded<
  P extends PromptCatalog,
  R extends string,
  Version extends number | undefined,
  Missing extends boolean | undefined,
> =
  | (string extends keyof P ? Prompt : [Version] extends [undefined] ? PromptOf<P, R> : Prompt)
  | ([Missing] extends [true] ? undefined : never)

/** The catalog of a set that was made of these references. */
export type CatalogOf<P extends PromptCatalog, R extends string> = string extends keyof P
  ? AnyPrompts
  : { readonly [Each in R as NameIn<Each>]: ShapeOf<P, Each> }

/**
 * An alias of the prompt, or a chain: that may name aliases of other prompts, as an app has one chain for all. Nothing
 * where the reference says it already.
 */
export type AliasChoice<P extends PromptCatalog, R extends string> = string extends keyof P
  ? string | readonly string[]
  : Body<R> extends infer N
    ? N extends keyof P
      ? AliasName<P, N> | readonly AliasName<P>[]
      : never
    : never

/** The load options whose types depend on the prompt. */
export interface LoadOptionsFor<
  Alias,
  Version extends number | undefined,
  Missing extends boolean | undefined,
> extends Omit<LoadOptions, 'alias' | 'version' | 'allowMissing'> {
  readonly alias?: Alias | undefined
  readonly version?: Version
  readonly allowMissing?: Missing
}

/** The arguments of `format`: its values may be left out where none is required. */
export type FormatArguments<S extends PromptShape> =
  Record<never, never> extends S['variables'] ? [values?: S['variables']] : [values: S['variables']]

/** What `format` returns: it may be changed. */
export type Formatted<Kind extends PromptShape['kind']> = Kind extends 'text' ? string : ChatMessage[]

export type TemplateOf<Kind extends PromptShape['kind']> = Kind extends 'text'
  ? string
  : readonly ChatMessage[]

/**
 * `'~prompts'`, the first member of what is generic over a catalog; never there. Because it is a mapped type, and the first
 * that a compiler looks at, such types are compared by their members: a registry of some prompts can be given to code that
 * loads any.
 */
export type Known<P extends PromptCatalog> = { readonly [N in keyof P]: P[N] }

declare const response: unique symbol

/** A JSON Schema whose type is known. The symbol is never there: it only carries the type. */
export interface ResponseFormat<T = unknown> extends JsonObject {
  readonly [response]?: T
}

type Body<R extends string> = R extends `prompts:/${infer Rest}` ? Rest : R

type NameIn<R extends string> =
  Body<R> extends infer B extends string
    ? B extends `${infer Name}@${string}` | `${infer Name}/${string}`
      ? Name
      : B
    : never

type ShapeOf<P extends PromptCatalog, R extends string> = R extends `${string}/${number}`
  ? AnyShape
  : NameIn<R> extends infer N extends keyof P
    ? P[N]
    : AnyShape
