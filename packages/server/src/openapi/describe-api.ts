import { OpenAPIHono, type RouteConfig } from '@hono/zod-openapi'
import type { Hono } from 'hono'
import type { ServerEnv } from '../env.ts'
import { type Fields, schemaOf } from '../routes/mlflow/fields.ts'
import { fieldsOf } from '../routes/mlflow/mlflow-request.ts'
import { badField, Elsewhere, json, Refusal } from '../routes/own-schemas.ts'
import { VERSION } from '../version.ts'
import { completed } from './complete.ts'
import type { ApiDocument, Parameter } from './document.ts'
import { GROUPS } from './groups.ts'
import { IF_MATCH } from './headers.ts'
import { INTRODUCTION } from './introduction.ts'
import { MLFLOW_OPERATIONS, type MlflowOperation } from './mlflow-operations.ts'
import { PLAIN_OPERATIONS } from './plain-operations.ts'

const MLFLOW = '/api/2.0/mlflow'
/** The same routes again, for MLflow's own page. */
const AJAX = '/ajax-api/'

/**
 * The OpenAPI 3.1 document of an app, made from what its routes are made from: our own from their zod schemas, MLflow's
 * from their `Fields`. A router that is mounted later is in it by itself.
 */
export function describeApi(app: OpenAPIHono<ServerEnv>): ApiDocument {
  const all = new OpenAPIHono<ServerEnv>().route('/', app) as OpenAPIHono<ServerEnv>
  for (const { method, path, handler } of routesOf(app)) {
    const fields = fieldsOf(handler)
    const operation = MLFLOW_OPERATIONS[`${method} ${path.slice(MLFLOW.length)}`]
    if (fields !== undefined && operation !== undefined)
      all.openAPIRegistry.registerPath(mlflowRoute(method, path, fields, operation))
    const plain = PLAIN_OPERATIONS[`${method} ${path}`]
    if (plain !== undefined && fields === undefined)
      all.openAPIRegistry.registerPath({ method: lower(method), path, ...plain } as object as RouteConfig)
  }
  const made = all.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Promptkeep', version: VERSION, description: INTRODUCTION, license: { name: 'MIT' } },
    tags: [...GROUPS],
  })
  return completed(JSON.parse(JSON.stringify(made)) as ApiDocument)
}

/** Handlers by method and path; a route with its own middleware has several. */
const routesOf = (app: Hono<ServerEnv>) =>
  app.routes.filter(({ method, path }) => method !== 'ALL' && !path.startsWith(AJAX))

const lower = (method: string) => method.toLowerCase() as RouteConfig['method']

function mlflowRoute(
  method: string,
  path: string,
  fields: Fields,
  { summary, answer, absent, headers = [] }: MlflowOperation,
): RouteConfig {
  const schema = schemaOf(fields)
  const isQuery = method === 'GET'
  const query: Parameter[] = Object.entries(schema.properties ?? {}).map(([name, field]) => ({
    name,
    in: 'query',
    required: schema.required?.includes(name) ?? false,
    schema: field,
  }))
  const body = { body: { required: true, content: { 'application/json': { schema } } } }
  return {
    method: lower(method),
    path,
    summary,
    parameters: [...(isQuery ? query : []), ...headers],
    ...(isQuery ? {} : { request: body }),
    responses: {
      200: json(answer, 'Done.'),
      ...badField,
      ...(absent === undefined ? {} : { 404: json(Refusal, absent) }),
      ...(headers.includes(IF_MATCH)
        ? { 409: json(Elsewhere, 'The alias is elsewhere: at `current`.') }
        : {}),
    },
    // Its types ask every parameter for an index signature.
  } as object as RouteConfig
}
