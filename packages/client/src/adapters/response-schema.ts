import { isObject } from '../check-json.ts'
import { InvalidInput } from '../errors.ts'
import type { Adaption } from './adapter.ts'

export interface ResponseSchema {
  /** At most 64 of `A-Za-z0-9_-`. */
  readonly name: string
  /** A copy that the caller may change. */
  readonly schema: Record<string, unknown>
  /** Whether OpenAI's strict mode can take it; what the response format itself says goes first. */
  readonly strict: boolean
}

/**
 * The prompt's response format: a JSON Schema, bare (as MLflow stores a Pydantic model) or in OpenAI's envelope
 * `{ type: 'json_schema', json_schema: { name, schema, strict } }`.
 * @throws {InvalidInput} for anything else
 */
export function readResponseSchema({ prompt, isOmitted }: Adaption): ResponseSchema | undefined {
  const format = prompt.responseFormat
  if (format === undefined || isOmitted('response_format')) return undefined
  const inner = format.type === 'json_schema' ? format.json_schema : { schema: format }
  const { name = prompt.name, schema, strict } = isObject(inner) ? inner : {}
  if (
    !isObject(schema) ||
    typeof name !== 'string' ||
    ['json_object', 'text'].includes(format.type as string)
  ) {
    throw new InvalidInput(
      `responseFormat must be a JSON Schema; got the type "${format.type}". Leave it out by omit: ["response_format"]`,
    )
  }
  return {
    name: name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64),
    schema: structuredClone(schema),
    strict: typeof strict === 'boolean' ? strict : isClosed(schema),
  }
}

/**
 * OpenAI's strict mode wants every object closed and every property required, and refuses the request otherwise. A
 * schema that Pydantic made is open, and goes out as it is: not strict.
 */
function isClosed(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(isClosed)
  if (!isObject(schema)) return true
  if (isObject(schema.properties)) {
    const required = Array.isArray(schema.required) ? schema.required : []
    if (schema.additionalProperties !== false) return false
    if (!Object.keys(schema.properties).every((key) => required.includes(key))) return false
    if (!Object.values(schema.properties).every(isClosed)) return false
  } else if (schema.type === 'object') return false
  return Object.entries(schema).every(([key, value]) => LITERALS.includes(key) || isClosed(value))
}

/** Their values are data, or were looked at by property. */
const LITERALS = ['properties', 'default', 'const', 'enum', 'examples', 'required']
