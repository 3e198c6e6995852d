import { checkChain, checkVersion } from './check-names.ts'
import { InvalidInput } from './errors.ts'
import type { LoadOptions } from './options.ts'
import type { Key, Wanted } from './question.ts'
import { parseReference } from './reference.ts'
import { checkObject, isAtLeast, refuse } from './refuse.ts'
import type { Settings } from './settings.ts'
import type { PageRequest, RequestOptions } from './transport.ts'

/** What a load is to find, and under which limits: spelled out and checked. */
export interface Query {
  readonly name: string
  readonly wanted: Wanted
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  readonly maxAgeMs?: number | undefined
  readonly key?: string | undefined
  readonly allowMissing: boolean
  readonly logFields: Readonly<Record<string, string>>
}

/** A query, with the places of its answers. */
export interface Question extends Query {
  readonly keys: readonly Key[]
}

/** @throws {InvalidInput} naming the option, what was given and what is allowed */
export function readQuery(
  reference: unknown,
  options: LoadOptions,
  { chain, timeoutMs: longestMs }: Pick<Settings, 'chain' | 'timeoutMs'>,
): Query {
  checkLimits(options)
  const {
    alias,
    version,
    timeoutMs = longestMs,
    signal,
    key,
    maxAgeMs,
    allowMissing = false,
    logFields = {},
  } = options
  const parsed = parseReference(reference)
  const named = [parsed.alias, parsed.version, alias, version].filter((part) => part !== undefined)
  if (named.length > 1) {
    throw new InvalidInput(
      `"${reference}": one alias or one version may be given, in the reference or in the options`,
    )
  }
  if (version !== undefined) checkVersion(version)
  if (key !== undefined && (typeof key !== 'string' || key === ''))
    refuse('key', key, 'a text of at least one character')
  if (maxAgeMs !== undefined && !isAtLeast(maxAgeMs, 0)) {
    refuse('maxAgeMs', maxAgeMs, 'a number of milliseconds from 0')
  }
  if (typeof allowMissing !== 'boolean') refuse('allowMissing', allowMissing, 'true or false')
  checkObject(logFields, 'logFields')
  const number = version ?? parsed.version
  const follow = alias !== undefined ? checkChain(alias) : parsed.alias !== undefined ? [parsed.alias] : chain
  const wanted = number !== undefined ? { version: number } : { chain: follow }
  return { name: parsed.name, wanted, timeoutMs, signal, maxAgeMs, key, allowMissing, logFields }
}

/** @throws {InvalidInput} */
export function checkLimits(options: RequestOptions): void {
  checkObject(options, 'options')
  const { signal, timeoutMs } = options
  if (timeoutMs !== undefined && !isAtLeast(timeoutMs, Number.MIN_VALUE)) {
    refuse('timeoutMs', timeoutMs, 'a number of milliseconds above 0')
  }
  if (signal !== undefined && typeof signal?.addEventListener !== 'function')
    refuse('signal', signal, 'an AbortSignal')
}

/** @throws {InvalidInput} */
export function checkPage(page: PageRequest | undefined): void {
  if (page === undefined) return
  checkObject(page, 'page')
  const { limit, pageToken } = page
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 1 || limit > 1000)) {
    refuse('limit', limit, 'a whole number from 1 to 1000')
  }
  if (pageToken !== undefined && typeof pageToken !== 'string') refuse('pageToken', pageToken, 'a text')
}
