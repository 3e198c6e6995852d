import { Conflict, type Logger, RegistryError, WIRE } from '@promptkeep/client/protocol'
import { SqlError } from '@promptkeep/sql'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { ServerEnv } from './env.ts'

/** MLflow's error body; `current` only for a conflict on an alias. */
interface ErrorBody {
  readonly error_code: string
  readonly message: string
  readonly sqlstate: string
  readonly error_class: string
  readonly current?: number | null
}

/** The one place where an error becomes an answer. What is not ours is logged in full and told in general. */
export const onError = (log: Logger) =>
  function onError(error: Error, c: Context<ServerEnv>): Response {
    if (error instanceof RegistryError) return refuse(c, error)
    if (error instanceof HTTPException) return badRequest(c, error)
    if (brokeOff(error)) return c.json(errorBody('BAD_REQUEST', 'The request broke off.'), 400)
    const request = {
      requestId: c.get('requestId'),
      correlationId: c.get('correlationId'),
      method: c.req.method,
      path: c.req.path,
    }
    if (error instanceof SqlError && error.code === 'UNAVAILABLE') {
      const cause = error.cause instanceof Error ? { cause: error.cause.message } : {}
      log.warn({ ...request, err: { message: error.message, ...cause } }, 'database.unavailable')
      c.header('Retry-After', '1')
      return c.json(errorBody('TEMPORARILY_UNAVAILABLE', unavailableText(error.message)), 503)
    }
    if (error instanceof SqlError && error.code === 'DAMAGED') {
      const cause = error.cause instanceof Error ? { cause: error.cause.message } : {}
      log.error({ ...request, err: { message: error.message, ...cause } }, 'database.damaged')
      return c.json(errorBody('INTERNAL_ERROR', `${error.message}. Nothing was answered from it.`), 500)
    }
    const { name, message, stack } = error
    log.error({ ...request, err: { name, message, stack } }, 'request.failed')
    return c.json(
      errorBody(
        'INTERNAL_ERROR',
        `The server failed; its log has the cause under correlation id ${request.correlationId}.`,
      ),
      500,
    )
  }

/** No such path, or no such method on it: JSON, so that a client can show it. */
export const noSuchPath = (c: Context, allow: readonly string[]): Response => {
  if (allow.length === 0)
    return c.json(errorBody('ENDPOINT_NOT_FOUND', `No endpoint ${c.req.method} ${c.req.path}.`), 404)
  c.header('Allow', allow.join(', '))
  const message = `The method ${c.req.method} is not allowed for ${c.req.path}; allowed are ${allow.join(', ')}.`
  return c.json(errorBody('BAD_REQUEST', message), 405)
}

/** An answer that was lost on its way from the database may stand for a write that was kept. */
const unavailableText = (reason: string) =>
  `The database cannot be used now: ${reason}. Nothing is acknowledged; try again.`

function errorBody(code: string, message: string): ErrorBody {
  return {
    error_code: code,
    message,
    sqlstate: code === 'INTERNAL_ERROR' ? 'XXM00' : 'KAM00',
    error_class: code === 'RESOURCE_DOES_NOT_EXIST' ? 'RESOURCE_NOT_FOUND' : code,
  }
}

function refuse(c: Context, error: RegistryError): Response {
  const { status = WIRE[error.code].status, mlflowCode = WIRE[error.code].mlflowCode } = error
  const body = errorBody(mlflowCode, error.message)
  return c.json(
    error instanceof Conflict ? { ...body, current: error.current } : body,
    status as ContentfulStatusCode,
  )
}

function badRequest(c: Context, error: HTTPException): Response {
  return c.json(errorBody('INVALID_PARAMETER_VALUE', error.message), error.status)
}

/** The caller hung up while it sent its body; nobody reads the answer, and it is no failure of ours. */
const brokeOff = (error: Error) =>
  error.message === 'aborted' && 'code' in error && error.code === 'ECONNRESET'
