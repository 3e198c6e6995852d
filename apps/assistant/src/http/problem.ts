import type { Logger } from '@promptkeep/client'
import type { Context } from 'hono'
import { ChatRefusal } from '../chat-types.ts'
import type { Env } from './guards.ts'

/** A request that is refused; `detail` says which field, what was given and what is allowed. */
export class HttpProblem extends Error {
  readonly status: keyof typeof TITLES
  constructor(status: keyof typeof TITLES, detail: string) {
    super(detail)
    this.name = new.target.name
    this.status = status
  }
}

const TITLES = {
  400: 'Validation error',
  403: 'Forbidden',
  404: 'Not found',
  405: 'Method not allowed',
  413: 'Payload too large',
  500: 'Internal error',
  503: 'Unavailable',
} as const

/** The one place where an error becomes an answer: `{ error, detail, correlation_id }`. */
export function createOnError(log: Logger) {
  return (error: Error, c: Context<Env>) => {
    const isKnown = error instanceof HttpProblem || error instanceof ChatRefusal
    const status = isKnown ? error.status : 500
    const correlation_id = c.get('correlationId')
    if (!isKnown) log.error({ correlationId: correlation_id, err: error }, 'request.failed')
    const detail = isKnown ? error.message : 'Something went wrong; the log has it under the correlation id.'
    return c.json({ error: TITLES[status], detail, correlation_id }, status)
  }
}
