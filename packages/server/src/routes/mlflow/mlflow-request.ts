import { InvalidInput } from '@promptkeep/client/protocol'
import type { Context, MiddlewareHandler } from 'hono'
import { type Fields, isObject, type RequestOf, readFields } from './fields.ts'

/**
 * Reads a request as MLflow's server does (protobuf JSON), into `c.get('request')`.
 *
 * A GET with a query is read from it; everything else, DELETE and a GET without a query included, from the JSON
 * body. Unknown fields are ignored, malformed JSON is an empty body, JSON text inside a JSON string is decoded
 * again. Only POST and PUT must name their content type. A HEAD has neither query nor body, so it fails like an
 * empty request.
 *
 * @throws {InvalidInput} In MLflow's words. Where MLflow answers 5xx, or takes half of a message, it is a 400.
 */
export const mlflowRequest = <F extends Fields>(
  fields: F,
): MiddlewareHandler<{ Variables: { request: RequestOf<F> } }> =>
  async function mlflowRequest(c, next) {
    const query = new URL(c.req.url).searchParams
    const sent = c.req.method === 'GET' && query.size > 0 ? readQuery(fields, query) : await readBody(c)
    c.set('request', readFields(fields, sent))
    await next()
  }

/** Only known names are looked at, and only in snake_case; the first value wins unless the field is a list. */
function readQuery(fields: Fields, query: URLSearchParams): Record<string, unknown> {
  const names = Object.entries(fields).flatMap(([name, { olderName }]) => [
    name,
    ...(olderName ? [olderName] : []),
  ])
  return Object.fromEntries(
    names
      .filter((name) => query.has(name))
      .map((name) => [name, fields[name]?.repeated ? query.getAll(name) : scalar(fields, name, query)]),
  )
}

function scalar(fields: Fields, name: string, query: URLSearchParams): unknown {
  const value = query.get(name) ?? ''
  if (!fields[name]?.boolean) return value
  const spelled = value.toLowerCase()
  if (spelled !== 'true' && spelled !== 'false')
    throw new InvalidInput(`Invalid boolean value: ${value}, must be 'true' or 'false'.`)
  return spelled === 'true'
}

async function readBody(c: Context): Promise<Record<string, unknown>> {
  requireJson(c)
  const once = parsed(decoded(await c.req.arrayBuffer()))
  const body = typeof once === 'string' ? parsed(once) : once
  if (body === undefined || body === null) return {}
  if (!isObject(body)) throw new InvalidInput('Invalid request body: a JSON object is expected.')
  return body
}

function requireJson(c: Context): void {
  if (c.req.method !== 'POST' && c.req.method !== 'PUT') return
  const type = c.req.header('content-type')
  if (type === undefined) throw new InvalidInput('Bad Request. Content-Type header is missing.')
  if (type.split(';')[0] !== 'application/json')
    throw new InvalidInput("Bad Request. Content-Type must be one of ['application/json'].")
}

function decoded(body: ArrayBuffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch (cause) {
    throw new InvalidInput('Invalid request body: it is not UTF-8.', { cause })
  }
}

/** `undefined` for text that is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
