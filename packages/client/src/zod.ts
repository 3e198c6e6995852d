/**
 * Response formats from and to zod 4, and answers of models read by them.
 * @module
 */
import { z } from 'zod'
import { isObject } from './check-json.ts'
import { defined } from './defined.ts'
import { InvalidInput } from './errors.ts'
import type { JsonObject } from './prompt.ts'
import { responseSchemaOf } from './response-format.ts'
import type { ResponseFormat } from './typed.ts'

export interface ResponseFormatOptions {
  /** What APIs call the format, kept as the schema's `title`. Default: the title that the schema has, if any. */
  readonly name?: string | undefined
  /**
   * Refuses what OpenAI's strict mode refuses: properties that may be left out (say `.nullable()` in place of
   * `.optional()`), and objects of any keys. Default false.
   */
  readonly strict?: boolean | undefined
}

/** What of a loaded prompt says how its answer is to be read. */
export interface AnsweredPrompt<T> {
  readonly name: string
  readonly version: number
  readonly responseFormat?: ResponseFormat<T>
}

export interface ResponseIssue {
  /** As code would reach it: `facts[0].text`; `` for the whole. */
  readonly path: string
  readonly message: string
}

/** A model's answer is not what the prompt's response format describes. */
export class ResponseMismatch extends Error {
  /** Every place that does not fit; empty for an answer that is no JSON. */
  readonly issues: readonly ResponseIssue[]
  /** The answer as it was given. */
  readonly text: string

  constructor(message: string, text: string, issues: readonly ResponseIssue[], options?: ErrorOptions) {
    super(message, options)
    this.name = 'ResponseMismatch'
    this.issues = issues
    this.text = text
  }
}

/**
 * The JSON Schema of what a model is to write for `schema` to parse: bare, as MLflow's Python client stores a Pydantic
 * model. Objects are closed unless they are loose; definitions that are used twice stand in `$defs`.
 * @throws {InvalidInput} for what JSON Schema has no words for (dates, custom types), and what `strict` refuses
 */
export function toResponseFormat<S extends z.ZodType>(
  schema: S,
  { name, strict = false }: ResponseFormatOptions = {},
): ResponseFormat<z.input<S>> {
  let made: JsonObject
  try {
    made = z.toJSONSchema(schema, {
      io: 'input',
      override({ zodSchema, jsonSchema }) {
        const { def } = zodSchema._zod
        // A model that is told of no other keys is not to invent some.
        if (def.type === 'object' && !('catchall' in def && def.catchall)) {
          jsonSchema.additionalProperties = false
        }
        // What zod says of every integer and every record: APIs refuse the one, and nobody reads the other.
        if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
        if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
        if (JSON.stringify(jsonSchema.propertyNames) === '{"type":"string"}') delete jsonSchema.propertyNames
      },
    }) as unknown as JsonObject
  } catch (cause) {
    throw new InvalidInput(`schema: ${(cause as Error).message}`, { cause })
  }
  const { $schema: _dialect, title, ...rest } = made
  const format: JsonObject = { ...defined({ title: name ?? title }), ...rest }
  if (strict) checkStrict(format, '')
  return format
}

/**
 * A zod schema that accepts what the response format describes: of a prompt, or a JSON Schema from anywhere.
 * @throws {InvalidInput} for a format that describes no JSON, or uses words that zod does not know
 */
export function fromResponseFormat<T>(format: ResponseFormat<T>): z.ZodType<T> {
  const schema = isObject(format) ? responseSchemaOf(format) : undefined
  if (schema === undefined) {
    throw new InvalidInput('the response format holds no JSON Schema')
  }
  try {
    return z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]) as z.ZodType<T>
  } catch (cause) {
    throw new InvalidInput(`the response format cannot be read: ${(cause as Error).message}`, { cause })
  }
}

/**
 * Reads a model's answer: JSON, alone or in one fenced block of Markdown.
 * @returns The value, of the type that the app's generated types know; `unknown` without them.
 * @throws {ResponseMismatch} naming the prompt and each place that does not fit
 * @throws {InvalidInput} for a prompt without a response format
 */
export function parseResponse<T>(prompt: AnsweredPrompt<T>, text: string): T {
  const { name, version, responseFormat } = prompt
  const which = `prompt "${name}" version ${version}`
  if (responseFormat === undefined)
    throw new InvalidInput(`${which} has no response format to read an answer by`)
  const schema = fromResponseFormat(responseFormat)
  const parsed = schema.safeParse(readJson(which, text))
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.flatMap((issue) => describe(issue))
  const said = issues.map(({ path, message }) => `${path === '' ? 'the whole' : path}: ${message}`)
  throw new ResponseMismatch(
    `${which}: the answer does not fit its response format: ${said.join('; ')}`,
    text,
    issues,
    { cause: parsed.error },
  )
}

function readJson(which: string, text: string): unknown {
  if (typeof text !== 'string') throw new InvalidInput(`text must be a text; got ${typeof text}`)
  const fenced = /^\s*```(?:json)?[^\S\n]*\n([\s\S]*?)\n?[^\S\n]*```\s*$/.exec(text)
  try {
    return JSON.parse(fenced?.[1] ?? text)
  } catch (cause) {
    const start = text.trim().slice(0, 60)
    const got = start === '' ? 'it is empty' : `it begins with ${JSON.stringify(start)}`
    throw new ResponseMismatch(`${which}: the answer is not JSON: ${got}`, text, [], { cause })
  }
}

/** Of a choice that nothing fits: what is wrong with the choice that fits best, if one fits better than the others. */
function describe(issue: z.core.$ZodIssue, above: readonly PropertyKey[] = []): ResponseIssue[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const deepest = issue.errors.map((issues) => Math.max(0, ...issues.map((one) => one.path.length)))
    const best = Math.max(...deepest)
    const near = issue.errors.filter((_, i) => deepest[i] === best)
    if (best > 0 && near.length === 1) return (near[0] ?? []).flatMap((one) => describe(one, path))
    const choices = issue.errors.flatMap((issues) => issues.slice(0, 1).map(sayOne))
    return [
      { path: pathText(path), message: `fits none of its choices (${[...new Set(choices)].join('; ')})` },
    ]
  }
  return [{ path: pathText(path), message: sayOne(issue) }]
}

const sayOne = ({ message }: z.core.$ZodIssue) => message.replace(/^Invalid (?:input|option): /, '')

/** `facts[0]["a b"].text` */
const pathText = (path: readonly PropertyKey[]) =>
  path
    .map((key) => {
      if (typeof key === 'number') return `[${key}]`
      return /^[A-Za-z_$][\w$]*$/.test(String(key)) ? `.${String(key)}` : `[${JSON.stringify(String(key))}]`
    })
    .join('')
    .replace(/^\./, '')

/** @throws {InvalidInput} naming the place by its path in the answer */
function checkStrict(schema: unknown, path: string): void {
  if (!isObject(schema)) return
  const { properties, required, additionalProperties, items, prefixItems, anyOf, oneOf, allOf, $defs } =
    schema
  if (schema.type === 'object') {
    const at = path === '' ? 'the whole' : path
    if (additionalProperties !== false) {
      throw new InvalidInput(`schema: ${at} takes any keys, which strict mode refuses; use z.object`)
    }
    for (const [key, property] of Object.entries(isObject(properties) ? properties : {})) {
      const inner = path === '' ? key : `${path}.${key}`
      if (!Array.isArray(required) || !required.includes(key)) {
        throw new InvalidInput(
          `schema: ${inner} may be left out, which strict mode refuses; say .nullable() in place of .optional() or .default()`,
        )
      }
      checkStrict(property, inner)
    }
  }
  checkStrict(items, `${path}[]`)
  for (const list of [prefixItems, anyOf, oneOf, allOf]) {
    if (Array.isArray(list)) for (const one of list) checkStrict(one, path)
  }
  if (isObject($defs)) for (const [name, one] of Object.entries($defs)) checkStrict(one, name)
}
