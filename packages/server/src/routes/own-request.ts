import type { Hook } from '@hono/zod-openapi'
import { checkText, InvalidInput, refuse } from '@promptkeep/client/protocol'
import type { MiddlewareHandler } from 'hono'
import type { ServerEnv } from '../env.ts'
import { decodeUtf8, parseJson } from '../json-body.ts'

/** Our own routes are strict where MLflow's are lenient: what is sent must be JSON, and say what it is. */
export const jsonBody: MiddlewareHandler<ServerEnv> = async function jsonBody(c, next) {
  if (c.req.method !== 'POST') return next()
  const type = c.req.header('content-type') ?? ''
  if (type.split(';')[0]?.trim() !== 'application/json')
    throw new InvalidInput(`Content-Type must be application/json; got ${type === '' ? 'none' : type}`)
  const body = parseJson(decodeUtf8(await c.req.arrayBuffer()))
  if (body === undefined) throw new InvalidInput('The request body must be JSON; it cannot be parsed')
  requireText(body, '')
  return next()
}

/** Turns zod's first complaint into our one sentence for bad input: which field, what was given, what is allowed. */
export const refuseInvalid: Hook<unknown, ServerEnv, string, unknown> = async (result, c) => {
  if (result.success) return undefined
  const [issue] = result.error.issues
  const path = issue?.path ?? []
  const field = path.length === 0 ? 'The request body' : path.join('.')
  const sent = result.target === 'json' ? await c.req.json() : c.req.query()
  const allowed = issue?.message ?? 'valid'
  const given = valueAt(sent, path)
  if (given === undefined) throw new InvalidInput(`${field} is required: it must be ${allowed}`)
  return refuse(field, given, allowed)
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) =>
      typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  )
}

/** `parseJson` bounds the depth. @throws {InvalidInput} for U+0000 and lone surrogates, also in keys */
function requireText(value: unknown, path: string): void {
  const name = path === '' ? 'the request body' : path
  if (typeof value === 'string') checkText(value, name)
  if (typeof value !== 'object' || value === null) return
  for (const [key, one] of Object.entries(value)) {
    checkText(key, `A key of ${name}`)
    requireText(one, path === '' ? key : `${path}.${key}`)
  }
}
