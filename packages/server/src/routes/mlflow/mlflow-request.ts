import type { HttpBindings } from '@hono/node-server'
import { InvalidInput } from '@promptkeep/client/protocol'
import type { Context, MiddlewareHandler, Next } from 'hono'
import { decodeUtf8, parseJson } from '../../json-body.ts'
import { type Fields, isObject, type RequestOf, readFields } from './fields.ts'

/** No limit of the server's covers it, see {@link bytesOf}. */
const MAX_GET_BODY_BYTES = 1024 * 1024

/**
 * Reads a request as MLflow's server does (protobuf JSON), into `c.get('request')`.
 *
 * A GET with a query is read from it; everything else, DELETE and a GET without a query included, from the JSON
 * body. Unknown fields are ignored, malformed JSON is an empty body, JSON text inside a JSON string is decoded
 * again. Only POST and PUT must name their content type. A HEAD has neither query nor body, so it fails like an
 * empty request.
 *
 * The handler carries its `fields`: the OpenAPI document is made from them.
 *
 * @throws {InvalidInput} In MLflow's words. Where MLflow answers 5xx, or takes half of a message, it is a 400.
 */
export const mlflowRequest = <F extends Fields>(
  fields: F,
): MiddlewareHandler<{ Variables: { request: RequestOf<F> } }> & { readonly fields: F } =>
  Object.assign(
    async function mlflowRequest(c: Context<{ Variables: { request: RequestOf<F> } }>, next: Next) {
      const query = c.req.method === 'GET' ? queryOf(c.req.url) : undefined
      const sent = query !== undefined && query.size > 0 ? readQuery(fields, query) : await readBody(c)
      c.set('request', readFields(fields, sent))
      await next()
    },
    { fields },
  )

/** What a route of `app.routes` reads, when this handler of it is an {@link mlflowRequest}. */
export const fieldsOf = (handler: unknown): Fields | undefined =>
  typeof handler === 'function' && handler.name === 'mlflowRequest' && 'fields' in handler
    ? (handler.fields as Fields)
    : undefined

/** As `new URL(url).searchParams`, at a fraction of its cost. */
function queryOf(url: string): URLSearchParams {
  const [beforeHash = ''] = url.split('#', 1)
  const at = beforeHash.indexOf('?')
  return new URLSearchParams(at < 0 ? '' : beforeHash.slice(at))
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
  const once = parseJson(decodeUtf8(await bytesOf(c)))
  const body = typeof once === 'string' ? parseJson(once) : once
  if (body === undefined || body === null) return {}
  if (!isObject(body)) throw new InvalidInput('Invalid request body: a JSON object is expected.')
  return body
}

/** A `Request` cannot hold the body of a GET, which MLflow reads; Node's own message still has it. */
async function bytesOf(c: Context): Promise<ArrayBuffer | Uint8Array> {
  if (c.req.method !== 'GET') return c.req.arrayBuffer()
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of (c.env as Partial<HttpBindings> | undefined)?.incoming ?? []) {
    size += chunk.length
    if (size > MAX_GET_BODY_BYTES) throw new InvalidInput('The body of a GET may have 1 MB.', { status: 413 })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function requireJson(c: Context): void {
  if (c.req.method !== 'POST' && c.req.method !== 'PUT') return
  const type = c.req.header('content-type')
  if (type === undefined) throw new InvalidInput('Bad Request. Content-Type header is missing.')
  if (type.split(';')[0] !== 'application/json')
    throw new InvalidInput("Bad Request. Content-Type must be one of ['application/json'].")
}
