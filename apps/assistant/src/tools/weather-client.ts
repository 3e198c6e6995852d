import type { z } from 'zod'

/** Why there is no weather. Each reads differently to a user, so each is its own answer. */
export type WeatherProblem =
  | 'no_key'
  | 'bad_key'
  | 'rate_limited'
  | 'timeout'
  | 'unknown_place'
  | 'unavailable'

export class WeatherError extends Error {
  readonly problem: WeatherProblem
  constructor(problem: WeatherProblem, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.problem = problem
  }
}

export interface WeatherClientOptions {
  /** With its `/data/2.5`. */
  readonly baseUrl: string
  readonly apiKey?: string | undefined
  /** Longest time of one look-up: every request and retry together. */
  readonly timeoutMs: number
  readonly fetch: typeof fetch
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** One look-up's time: all of its requests share it. */
export interface Deadline {
  readonly endsAt: number
  readonly signal?: AbortSignal | undefined
}

/** OpenWeatherMap's endpoints, or a server that speaks like it. Every failure is a {@link WeatherError}. */
export interface WeatherClient {
  deadline(signal?: AbortSignal): Deadline
  /**
   * @param path - Below the origin's weather API, e.g. `weather`, or `geo` for direct geocoding.
   * @returns The body, or `undefined` when the server answers 404: no such place (or no geocoder).
   */
  get<T>(
    path: 'weather' | 'forecast' | 'geo',
    query: Readonly<Record<string, string>>,
    shape: z.ZodType<T>,
    deadline: Deadline,
  ): Promise<T | undefined>
}

const ATTEMPTS = 3
const FIRST_WAIT_MS = 200

export function createWeatherClient(options: WeatherClientOptions): WeatherClient {
  const { baseUrl, apiKey, timeoutMs, now } = options
  const addresses = {
    weather: `${baseUrl}/weather`,
    forecast: `${baseUrl}/forecast`,
    geo: `${baseUrl.replace(/\/data\/[\d.]+$/, '')}/geo/1.0/direct`,
  }

  return {
    deadline: (signal) => ({ endsAt: now() + timeoutMs, signal }),
    async get(path, query, shape, deadline) {
      if (!apiKey) throw new WeatherError('no_key', 'OPENWEATHERMAP_API_KEY is not set')
      const url = `${addresses[path]}?${new URLSearchParams({ ...query, appid: apiKey })}`
      for (let attempt = 1; ; attempt++) {
        const remaining = deadline.endsAt - now()
        if (remaining <= 0) throw new WeatherError('timeout', `no answer within ${timeoutMs} ms`)
        try {
          // a hung connection costs its share of the time, not all of it
          return await ask(url, shape, remaining / (ATTEMPTS - attempt + 1), deadline.signal)
        } catch (error) {
          deadline.signal?.throwIfAborted()
          const { failure, retryAfterMs } = toFailure(error)
          const wait = retryAfterMs ?? FIRST_WAIT_MS * 2 ** (attempt - 1)
          const isWorthIt = failure.problem !== 'bad_key' && attempt < ATTEMPTS
          if (!isWorthIt || now() + wait >= deadline.endsAt) throw failure
          await pause(wait, deadline.signal)
        }
      }
    },
  }

  async function ask<T>(
    url: string,
    shape: z.ZodType<T>,
    timeLeftMs: number,
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> {
    const limit = AbortSignal.timeout(Math.max(1, Math.ceil(timeLeftMs)))
    const response = await options.fetch(url, { signal: signal ? AbortSignal.any([signal, limit]) : limit })
    if (response.status === 404) return undefined
    if (!response.ok) throw new HttpFailure(response.status, response.headers.get('retry-after'))
    return shape.parse(await response.json())
  }
}

class HttpFailure extends Error {
  readonly status: number
  readonly retryAfter: string | null
  constructor(status: number, retryAfter: string | null) {
    super(`the weather service answered ${status}`)
    this.name = new.target.name
    this.status = status
    this.retryAfter = retryAfter
  }
}

/** The address holds the key: a cause that quotes it must not reach a log, so only its name is kept. */
function toFailure(error: unknown): { failure: WeatherError; retryAfterMs?: number } {
  if (error instanceof HttpFailure) {
    const { status, retryAfter, message } = error
    if (status === 401 || status === 403) return { failure: new WeatherError('bad_key', message) }
    const problem = status === 429 ? 'rate_limited' : 'unavailable'
    const seconds = Number(retryAfter ?? Number.NaN)
    return {
      failure: new WeatherError(problem, message),
      ...(Number.isFinite(seconds) ? { retryAfterMs: seconds * 1000 } : {}),
    }
  }
  const name = error instanceof Error ? error.name : 'unknown'
  if (name === 'TimeoutError' || name === 'AbortError') {
    return { failure: new WeatherError('timeout', 'the weather service did not answer in time') }
  }
  const what =
    name === 'ZodError' || name === 'SyntaxError' ? 'sent an answer that cannot be read' : 'cannot be reached'
  return { failure: new WeatherError('unavailable', `the weather service ${what}`) }
}

/** Ends early, and quietly, when the signal does: the caller looks at the signal next. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done, { once: true })
  })
}
