import { MAY, PERMISSIONS } from '../auth/permissions.ts'
import type { ApiDocument, Content, Method, Operation, Parameter, Response } from './document.ts'
import { operationsOf } from './document.ts'
import { FIELD_TEXTS } from './field-texts.ts'
import { groupOf } from './groups.ts'
import type { JsonSchema } from './json-schema.ts'

const SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: 'A token: `pk_…`.' },
  basic: { type: 'http', scheme: 'basic', description: 'The token as the password; any user name.' },
}

/** Adds what holds for all routes: sections, ids, roles, the refusals that every route shares, what fields mean. */
export function completed(made: ApiDocument): ApiDocument {
  const paths: Record<string, Partial<Record<Method, Operation>>> = {}
  for (const { method, path, operation } of inOrder(made)) {
    const item = paths[path] ?? {}
    item[method] = completedOperation(method, path, operation)
    paths[path] = item
  }
  const schemas = Object.fromEntries(
    Object.entries(made.components.schemas).map(([name, schema]) => [name, told(schema, name)]),
  )
  return { ...made, paths, components: { schemas, securitySchemes: SCHEMES } }
}

function inOrder({ paths, tags }: ApiDocument) {
  const place = (path: string) => tags.findIndex(({ name }) => name === groupOf(path))
  return operationsOf({ paths }).sort((a, b) => place(a.path) - place(b.path))
}

function completedOperation(method: Method, path: string, operation: Operation): Operation {
  const group = groupOf(path)
  const permission = PERMISSIONS.get(`${method.toUpperCase()} ${path}`) ?? 'admin'
  const { parameters, requestBody, responses } = operation
  const isOpen = permission === 'open'
  const all = { ...responses, ...sharedRefusals(path, operation, isOpen) }
  return {
    ...operation,
    operationId: idOf(method, path),
    tags: [group],
    ...(parameters === undefined ? {} : { parameters: parameters.map((one) => toldParameter(one, group)) }),
    ...(requestBody === undefined
      ? {}
      : {
          requestBody: {
            ...requestBody,
            content: withExamples(toldContent(requestBody.content, group), group),
          },
        }),
    responses: Object.fromEntries(
      Object.entries(all).map(([status, response]) => [status, toldResponse(response, group)]),
    ),
    security: isOpen ? [] : [{ bearer: [] }, { basic: [] }],
    ...(isOpen ? {} : { 'x-roles': MAY[permission] }),
  }
}

const refusal = (description: string, headers: Response['headers'] = {}): Response => ({
  description,
  ...(Object.keys(headers).length === 0 ? {} : { headers }),
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Refusal' } } },
})
const inText: Content = { 'text/plain': { schema: { type: 'string' } } }

/** What the middleware in front of every handler may answer. */
function sharedRefusals(
  path: string,
  { requestBody, responses }: Operation,
  isOpen: boolean,
): Record<string, Response> {
  const probe = path === '/health' || path === '/version'
  const foreign =
    responses[403] ?? refusal('No role that may, or a policy is against it; the message says which.')
  const whole = { schema: { type: 'integer' } }
  return {
    ...(isOpen
      ? {}
      : {
          401: refusal('No token, or one that is unknown, revoked or expired.', {
            'WWW-Authenticate': { description: 'how to send one', schema: { type: 'string' } },
          }),
          429: refusal('Too many requests, or too many wrong tokens.', {
            'Retry-After': { description: 'seconds to wait', ...whole },
          }),
        }),
    ...(probe
      ? {}
      : isOpen
        ? { 403: { description: 'The Host header names another machine.', content: inText } }
        : {
            403: {
              ...foreign,
              description: `${foreign.description} As text: the Host header, or the page’s origin, names another machine.`,
              content: { ...(foreign.content ?? {}), ...inText },
            },
          }),
    ...(requestBody === undefined ? {} : { 413: refusal('The body is too large.') }),
    ...(isOpen
      ? {}
      : { 503: responses[503] ?? refusal('The database cannot be used now; nothing is kept. Try again.') }),
  }
}

/** `get-registered-models-alias`: the method and the path below its base. */
const idOf = (method: Method, path: string): string => {
  const below = path.replace(/^\/(ajax-)?api\/(mlflow|promptkeep)?\/?[\d.]+\/(mlflow\/)?/, '/')
  return `${method}${below.replace(/[^A-Za-z0-9]+/g, '-')}`
}

function toldParameter(parameter: Parameter, group: string): Parameter {
  const description = parameter.description ?? parameter.schema.description ?? textOf(parameter.name, group)
  const schema = exemplified(parameter.schema, parameter.name, group)
  return { ...parameter, schema, ...(description === undefined ? {} : { description }) }
}

function toldResponse(response: Response, group: string): Response {
  const { content } = response
  return content === undefined ? response : { ...response, content: toldContent(content, group) }
}

const toldContent = (content: Content, group: string): Content =>
  Object.fromEntries(
    Object.entries(content).map(([type, media]) => [
      type,
      media.schema === undefined ? media : { ...media, schema: told(media.schema, group) },
    ]),
  )

/** Gives every property without a description the text of its name. */
function told(schema: JsonSchema, group: string): JsonSchema {
  const { properties, items, anyOf, allOf } = schema
  return {
    ...schema,
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, field]) => [name, toldField(field, name, group)]),
          ),
        }),
    ...(items === undefined ? {} : { items: told(items, group) }),
    ...(anyOf === undefined ? {} : { anyOf: anyOf.map((one) => told(one, group)) }),
    ...(allOf === undefined ? {} : { allOf: allOf.map((one) => told(one, group)) }),
  }
}

function toldField(field: JsonSchema, name: string, group: string): JsonSchema {
  const inner = told(field, group)
  const description = field.description ?? textOf(name, group)
  return description === undefined ? inner : { ...inner, description }
}

const textOf = (name: string, group: string): string | undefined =>
  (FIELD_TEXTS[`${group}.${name}`] ?? FIELD_TEXTS[name])?.text

/** Requests that need no thought can be made of the examples; answers are as they are. */
const withExamples = (content: Content, group: string): Content =>
  Object.fromEntries(
    Object.entries(content).map(([type, media]) => {
      const { properties } = media.schema ?? {}
      if (properties === undefined) return [type, media]
      const shown = Object.entries(properties).map(([name, field]) => [name, exemplified(field, name, group)])
      return [type, { ...media, schema: { ...media.schema, properties: Object.fromEntries(shown) } }]
    }),
  )

function exemplified(schema: JsonSchema, name: string, group: string): JsonSchema {
  const example = exampleOf(name, group)
  if (example === undefined || schema.examples !== undefined) return schema
  const fitting = exampleAs(schema, example)
  return fitting === undefined ? schema : { ...schema, examples: [fitting] }
}

/** Version numbers are texts on MLflow's wire. */
function exampleAs({ type }: JsonSchema, example: unknown): unknown {
  const types = [type ?? typeName(example)].flat()
  if (types.includes(typeName(example))) return example
  if (typeof example === 'number' && types.includes('integer')) return example
  return typeof example === 'number' && types.includes('string') ? String(example) : undefined
}
const typeName = (value: unknown): string => (Array.isArray(value) ? 'array' : typeof value)

export const exampleOf = (name: string, group: string): unknown =>
  (FIELD_TEXTS[`${group}.${name}`] ?? FIELD_TEXTS[name])?.example
