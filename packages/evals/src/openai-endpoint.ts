import type OpenAI from 'openai'
import { EvalFailure, messageOf } from './errors.ts'

type Env = Readonly<Record<string, string | undefined>>

const OPENAI_URL = 'https://api.openai.com/v1'

/** A server that speaks OpenAI's chat completions. */
export interface Endpoint {
  readonly url: string
  readonly apiKey: string
  /** For messages: an address may hold a password. */
  readonly shown: string
}

/**
 * Where the environment says that models are asked: `OPENAI_BASE_URL` with its `/v1`, `OPENAI_API_KEY`.
 * @param who - For messages: `a judge`.
 * @throws {EvalFailure} `CONFIGURATION`: no key, or no address.
 */
export function endpointOf(env: Env, who: string): Endpoint {
  const url = env.OPENAI_BASE_URL || OPENAI_URL
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new EvalFailure('CONFIGURATION', `OPENAI_BASE_URL must be an http address with its /v1, for ${who}`)
  // A server of one's own may want no key; OpenAI does.
  if (!env.OPENAI_API_KEY && !env.OPENAI_BASE_URL)
    throw new EvalFailure(
      'CONFIGURATION',
      `${who} needs OPENAI_API_KEY, or OPENAI_BASE_URL of a server that wants none`,
    )
  const { origin, pathname } = new URL(url)
  return { url, apiKey: env.OPENAI_API_KEY || 'none', shown: `${origin}${pathname}` }
}

/** Imported late: most suites ask no model themselves. Nothing is tried again here. */
export async function openClient(
  { url, apiKey }: Endpoint,
  { fetch, env }: { readonly fetch: typeof globalThis.fetch; readonly env: Env },
): Promise<OpenAI> {
  const { OpenAI } = await import('openai')
  return new OpenAI({
    baseURL: url,
    apiKey,
    fetch,
    organization: env.OPENAI_ORG_ID ?? null,
    project: env.OPENAI_PROJECT_ID ?? null,
    maxRetries: 0,
    logLevel: 'off',
  })
}

/** Statuses that may be different the next time. */
const PASSING = [408, 409, 425, 429]

/** @param who - Who was asked, for messages: `the judge gpt-5 at https://…`. */
export function failureOf(error: unknown, who: string): EvalFailure {
  if (error instanceof EvalFailure) return error
  const status = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined
  const options = { cause: error }
  if (typeof status !== 'number') {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : ''
    return new EvalFailure('INFRASTRUCTURE', `${who}: ${messageOf(error)}${cause}`, options)
  }
  // Not what it says: providers quote the key.
  if (status === 401 || status === 403)
    return new EvalFailure('CONFIGURATION', `${who} answered ${status}: it refuses OPENAI_API_KEY`, options)
  const isPassing = status >= 500 || PASSING.includes(status)
  const message = `${who} answered ${messageOf(error).slice(0, 300)}`
  return new EvalFailure(isPassing ? 'INFRASTRUCTURE' : 'CONFIGURATION', message, options)
}
