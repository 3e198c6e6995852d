import { isObject } from '../check-json.ts'
import { InvalidInput } from '../errors.ts'
import { responseSchemaOf } from '../response-format.ts'
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
 * The prompt's response format as a schema, whatever form it was stored in (see `responseSchemaOf`).
 * @returns `undefined` when there is none, or it asks for plain text
 * @throws {InvalidInput} for an envelope that holds no schema
 */
export function readResponseSchema({ prompt, isOmitted }: Adaption): ResponseSchema | undefined {
  const format = prompt.responseFormat
  if (format === undefined || format.type === 'text' || isOmitted('response_format')) return undefined
  const schema = responseSchemaOf(format)
  const isEnvelope = format.type === 'json_schema'
  const envelope = isEnvelope && isObject(format.json_schema) ? format.json_schema : format
  const { name, strict } = isEnvelope ? envelope : {}
  if (schema === undefined) {
    throw new InvalidInput(
      'responseFormat of type "json_schema" holds no schema; leave it out by omit: ["response_format"]',
    )
  }
  return {
    name: (typeof name === 'string' ? name : prompt.name).replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64),
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
