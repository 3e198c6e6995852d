import { isObject } from './check-json.ts'
import type { JsonObject } from './prompt.ts'

/**
 * The JSON Schema of a prompt's response format: bare, as MLflow's Python client stores a Pydantic model, or in OpenAI's
 * envelope (`{ type: 'json_schema', json_schema: { schema } }`, or `schema` beside `type`).
 * @returns `undefined` when it describes no JSON (`{ type: 'text' }`), or an envelope without a schema.
 */
export function responseSchemaOf(format: JsonObject): JsonObject | undefined {
  if (format.type === 'text') return undefined
  if (format.type === 'json_object') return { type: 'object' }
  if (format.type !== 'json_schema') return format
  const inside = isObject(format.json_schema) ? format.json_schema.schema : format.schema
  return isObject(inside) ? (inside as JsonObject) : undefined
}
