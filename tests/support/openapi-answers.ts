import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import type { ApiDocument, Method } from '../../packages/server/src/openapi/document.ts'
import type { Answer } from './ask.ts'

export interface AnswerCheck {
  /** What is wrong with an answer, as sentences; nothing for one that the document has. */
  complaints(method: string, path: string, answer: Answer): readonly string[]
  /** `METHOD /path` to the statuses that were looked at. */
  readonly seen: ReadonlyMap<string, ReadonlySet<number>>
}

/** Compares real answers with what the document says of them. A field that the document does not have is wrong, too. */
export function createAnswerCheck(document: ApiDocument): AnswerCheck {
  const paths = closedObjects(document.paths) as ApiDocument['paths']
  const schemas = Object.fromEntries(
    Object.entries(document.components.schemas).map(([name, schema]) => [name, closedObjects(schema, true)]),
  )
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  ajv.addSchema({ $id: 'document', components: { schemas } })
  const known = new Map<string, ValidateFunction>()
  const seen = new Map<string, Set<number>>()

  function complaints(method: string, path: string, { status, headers, body }: Answer): string[] {
    const at = path.replace('/ajax-api/', '/api/')
    const operation = paths[at]?.[method.toLowerCase() as Method]
    if (operation === undefined) return []
    const route = `${method} ${at}`
    seen.set(route, new Set([...(seen.get(route) ?? []), status]))
    const response = operation.responses[status]
    if (response === undefined) return [`${route} answered ${status}: ${JSON.stringify(body)}`]
    const type = headers['content-type']?.split(';')[0]
    if (type === undefined)
      return response.content === undefined ? [] : [`${route} ${status} has no content type`]
    const schema = response.content?.[type]?.schema
    if (schema === undefined) return [`${route} ${status} is ${type}`]
    if (type !== 'application/json') return []
    const key = `${route} ${status}`
    const validate = known.get(key) ?? ajv.compile(absolute(schema) as object)
    known.set(key, validate)
    if (validate(body)) return []
    return [`${key}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(body).slice(0, 500)}`]
  }
  return { complaints, seen }
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** A copy in which objects have no fields but those that are named; parts of an `allOf` are closed by the whole. */
function closedObjects(value: unknown, isPart = false): unknown {
  if (Array.isArray(value)) return value.map((one) => closedObjects(one, isPart))
  if (typeof value !== 'object' || value === null) return value
  const copy = Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, closedObjects(one, key === 'allOf')]),
  )
  const isObject = typeof copy.$ref === 'string' || 'allOf' in copy || copy.type === 'object'
  const isNamed = typeof copy.properties === 'object' || copy.type !== 'object'
  return isObject && isNamed && !isPart && !('additionalProperties' in copy)
    ? { ...copy, unevaluatedProperties: false }
    : copy
}

const absolute = (schema: object): Json =>
  JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"document#/')) as Json
