import type { Connection } from './connection.ts'
import { sleep, withDeadline } from './deadline.ts'
import { RegistryError } from './errors.ts'
import type { RequestOptions } from './transport.ts'
import { errorFromWire, type Subject } from './wire-error.ts'

/** Tries of one request, the first included; all within the caller's deadline. */
const MAX_TRIES = 4
const FIRST_BACKOFF_MS = 100
/** For callers that set none. */
const DEFAULT_TIMEOUT_MS = 10_000
/** Answers that another try may better: the list of MLflow's own client. */
const RETRIED = new Set([408, 429, 500, 502, 503, 504])

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: unknown
  /** What the request is about, for messages. */
  readonly about?: Omit<Subject, 'address'>
  /** Body and answer are texts, not JSON. */
  readonly isText?: boolean
  /**
   * Runs before each further try, because the lost one may have had its effect: what it returns is taken as the
   * answer, `undefined` tries again. `never` gives up after the first try.
   */
  readonly beforeRetry?: 'never' | (() => Promise<unknown>)
}

/** @returns the parsed JSON. @throws {RegistryError} */
export type Send = (request: HttpRequest) => Promise<unknown>

export interface Http {
  /** Several requests under one deadline. */
  within<T>(
    limits: RequestOptions | undefined,
    work: (send: Send, signal: AbortSignal) => Promise<T>,
  ): Promise<T>
}

export interface HttpOptions {
  readonly connection: Connection
  readonly fetch: typeof fetch
  /** 0 ≤ n < 1 */
  readonly random: () => number
}

/** JSON over fetch: deadline, retries with jitter, `Retry-After`, and every failure as one of our errors. */
export function createHttp({ connection, fetch, random }: HttpOptions): Http {
  const { address, headers } = connection

  /** An answer, or an error and how long to wait before another try (absent: another try is no use). */
  interface Outcome {
    readonly answer?: unknown
    readonly error?: RegistryError
    readonly retryAfterMs?: number | undefined
  }

  async function send(
    request: HttpRequest,
    signal: AbortSignal,
    endsAt: number,
    maxTries: number,
  ): Promise<unknown> {
    for (let tries = 1; ; tries++) {
      const { answer, error, retryAfterMs } = await tryOnce(request, signal)
      if (!error) return answer
      if (retryAfterMs === undefined || tries === maxTries || request.beforeRetry === 'never') throw error
      const backoffMs = FIRST_BACKOFF_MS * 2 ** (tries - 1) * (0.5 + random())
      const waitMs = Math.max(backoffMs, retryAfterMs)
      if (performance.now() + waitMs >= endsAt) throw error // what was said is worth more than "no answer in time"
      await sleep(waitMs, signal)
      const done = await request.beforeRetry?.()
      if (done !== undefined) return done
    }
  }

  async function tryOnce(request: HttpRequest, signal: AbortSignal): Promise<Outcome> {
    let response: Response
    let text: string
    try {
      response = await fetch(urlOf(address, request), {
        method: request.method,
        headers: { accept: request.isText ? '*/*' : 'application/json', ...headers, ...contentType(request) },
        ...(request.body !== undefined && {
          body: request.isText ? String(request.body) : JSON.stringify(request.body),
        }),
        signal,
      })
      text = await response.text()
    } catch (cause) {
      signal.throwIfAborted()
      return {
        error: new RegistryError('UNAVAILABLE', `${address} cannot be reached (${reasonOf(cause)})`, {
          cause,
        }),
        retryAfterMs: 0,
      }
    }
    const { ok, status } = response
    const json = request.isText ? text : parse(text)
    if (ok && json !== undefined) return { answer: json }
    if (ok) return { error: noJson(response) }
    const error = errorFromWire(status, json, { ...request.about, address })
    return { error, retryAfterMs: RETRIED.has(status) ? readRetryAfter(response) : undefined }
  }

  function noJson({ status, headers }: Response): RegistryError {
    const type = headers.get('content-type') ?? 'no content type'
    const message = `${address} answered with something that is no JSON (${type}); check the tracking URI`
    return new RegistryError('UNAVAILABLE', message, { status })
  }

  return {
    within({ signal, timeoutMs = DEFAULT_TIMEOUT_MS, retry = true } = {}, work) {
      const endsAt = performance.now() + timeoutMs
      return withDeadline({ signal, timeoutMs }, address, (signal) =>
        work((request) => send(request, signal, endsAt, retry ? MAX_TRIES : 1), signal),
      )
    },
  }
}

function urlOf(address: string, { path, query = {} }: HttpRequest): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  const search = new URLSearchParams(given.map(([key, value]): [string, string] => [key, String(value)]))
  return `${address}${path}${search.size > 0 ? `?${search}` : ''}`
}

const contentType = ({ body, isText }: HttpRequest) =>
  body === undefined || isText ? {} : { 'content-type': 'application/json' }

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Seconds or a date, in milliseconds from now; 0 when it says nothing. */
function readRetryAfter({ headers }: Response): number {
  const text = headers.get('retry-after') ?? ''
  if (/^\d+$/.test(text)) return Number(text) * 1000
  const at = Date.parse(text)
  const sent = Date.parse(headers.get('date') ?? '')
  return Number.isNaN(at) || Number.isNaN(sent) ? 0 : Math.max(0, at - sent)
}

/** `fetch failed` says nothing; the code of its cause does. */
function reasonOf(error: unknown): string {
  const { code, message } = ((error as Error).cause ?? error) as { code?: unknown; message?: unknown }
  return String(code ?? message ?? error)
}
