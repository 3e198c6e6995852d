import { brokenTransport, createAdmission } from './admission.ts'
import type { Breaker } from './breaker.ts'
import { type Answer, createCache } from './cache.ts'
import { withDeadline } from './deadline.ts'
import { hasCode, isAbsence, isOutage, isRegistryError, RegistryError } from './errors.ts'
import { makeBody, type PromptBody, type PromptSource, type PromptVersion } from './prompt.ts'
import type { Timers } from './timers.ts'
import type { RequestOptions, Transport } from './transport.ts'

/** With an older value at hand a load waits no longer than this for a newer one. */
const GRACE_MS = 250
/** A version never changes; it is looked at again only in case its prompt was deleted and made anew. */
const VERSION_TTL_MS = 24 * 60 * 60 * 1000
/** "No such thing" is kept for a moment only: every load of a chain asks, and the next second it may exist. */
const LONGEST_ABSENCE_TTL_MS = 5_000

/** What is looked up: aliases in order, or one version. */
export type Wanted = { readonly chain: readonly string[] } | { readonly version: number }

export interface LoadLimits {
  /** Longest wait in milliseconds, for all steps together. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Oldest cached value that counts as fresh; default: the TTL. */
  readonly maxAgeMs?: number | undefined
}

/** A value that the registry said, now or earlier. */
export interface Found {
  readonly body: PromptBody
  readonly source: Extract<PromptSource, 'registry' | 'cache' | 'stale'>
  readonly alias?: string | undefined
  readonly confirmedAt: number
  /** Why the value is stale. */
  readonly cause?: unknown
}

export interface Loader {
  /** Where the answers to a question are kept. Callers that ask often keep it. */
  keysOf(name: string, wanted: Wanted): readonly Key[]
  /** The value that `find` would answer from the cache, without waiting; `undefined` when it has more to do. */
  fresh(keys: readonly Key[]): Found | undefined
  /** Fresh cache, then the registry, then (unless strict) the last good value. @throws what the registry said */
  find(keys: readonly Key[], limits: LoadLimits): Promise<Found>
  /** This process moved an alias: its own loads see it from now on. */
  aliasMoved(name: string, alias: string, version: number, limits: RequestOptions): Promise<void>
  /** What was known of this alias is no longer so. */
  forget(name: string, alias: string): void
}

export interface LoaderOptions {
  readonly transport: Transport
  /** Hears of every outage here; of answers from `onAnswer`. */
  readonly breaker: Breaker
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** 0 ≤ n < 1 */
  readonly random: () => number
  readonly timers: Timers
  readonly ttlMs: number
  /** Longest wait of a request in milliseconds; loads that share it may wait less. */
  readonly timeoutMs: number
  readonly strict: boolean
  readonly maxEntries: number
  /** Aborted when the registry is closed. */
  readonly closing: AbortSignal
  /** The registry answered, with the value of `name` if given. */
  readonly onAnswer: (name?: string) => void
  /** An outage or a refusal. */
  readonly onTrouble: (error: RegistryError) => void
}

/** One question to the registry. */
export interface Key {
  readonly text: string
  readonly name: string
  readonly alias?: string
  readonly version?: number
}

interface Entry {
  readonly body: PromptBody
  readonly createdAt: number
}

/** The steps of a load that depend on the registry. Falling back to a bundled default is the caller's. */
export function createLoader(options: LoaderOptions): Loader {
  const { transport, breaker, now, random, timers, ttlMs, strict, maxEntries, closing } = options
  const { onAnswer, onTrouble } = options
  const cache = createCache<Entry>({ now, maxEntries, isAbsence })
  const admit = createAdmission(transport.address, maxEntries * 4)

  // The kind is part of the key: alias "3" and version 3 never meet.
  const keyOf = (name: string, part: { readonly alias: string } | { readonly version: number }): Key => ({
    text: `${transport.scope} ${name}${'alias' in part ? `@${part.alias}` : `/${part.version}`}`,
    name,
    ...part,
  })

  const keysOf = (name: string, wanted: Wanted): readonly Key[] =>
    'version' in wanted ? [keyOf(name, wanted)] : wanted.chain.map((alias) => keyOf(name, { alias }))

  async function find(keys: readonly Key[], limits: LoadLimits): Promise<Found> {
    limits.signal?.throwIfAborted()
    const cached = recallFirst(keys, limits.maxAgeMs)
    if (cached !== 'unknown') return cached
    const older = strict ? undefined : lastGood(keys)
    // Who says how old an answer may be wants a true one, not a quick one: only an outage gives it an older one.
    const isHurried = older !== undefined && limits.maxAgeMs === undefined
    const timeoutMs = isHurried ? Math.min(limits.timeoutMs, GRACE_MS) : limits.timeoutMs
    try {
      return await withDeadline({ signal: limits.signal, timeoutMs }, transport.address, () =>
        follow(keys, limits, isHurried),
      )
    } catch (cause) {
      if (!older || isAbsence(cause) || limits.signal?.aborted) throw cause
      return { ...older, cause }
    }
  }

  /** Without asking. @throws {RegistryError} the absence, when that is what is known */
  function recallFirst(keys: readonly Key[], maxAgeMs: number | undefined): Found | 'unknown' {
    for (const key of keys) {
      const known = recall(key, maxAgeMs)
      if (known !== 'absent') return known
    }
    throw noneOf(keys, transport.address)
  }

  function recall(key: Key, maxAgeMs: number | undefined): Found | 'absent' | 'unknown' {
    const answer = cache.read(key.text)
    if (!answer || !isFresh(key, answer, maxAgeMs)) return 'unknown'
    if (answer.kind === 'value') return foundAt(key, answer.value, 'cache', answer.confirmedAt)
    if (hasCode(answer.error, 'ALIAS_NOT_FOUND')) return 'absent'
    throw answer.error
  }

  function isFresh(key: Key, { kind, confirmedAt }: Answer<Entry>, maxAgeMs: number | undefined): boolean {
    const ttl = maxAgeMs ?? (key.version === undefined || ttlMs === 0 ? ttlMs : VERSION_TTL_MS)
    const age = now() - confirmedAt
    // A negative age means that the clock was set back: nobody knows how old the answer is.
    return age >= 0 && age < (kind === 'absence' ? Math.min(ttl, LONGEST_ABSENCE_TTL_MS) : ttl)
  }

  /** The last good value, however old. An alias of which nothing is known ends the search: it may exist. */
  function lastGood(keys: readonly Key[]): Found | undefined {
    for (const key of keys) {
      const answer = cache.read(key.text)
      if (answer?.kind === 'value') return foundAt(key, answer.value, 'stale', answer.confirmedAt)
      if (!hasCode(answer?.error, 'ALIAS_NOT_FOUND')) return undefined
    }
    return undefined
  }

  /** Alias by alias: only an answer "no such alias" leads on to the next, never an outage. */
  async function follow(keys: readonly Key[], limits: LoadLimits, isHurried: boolean): Promise<Found> {
    const timeoutMs = Math.max(limits.timeoutMs, options.timeoutMs)
    // Within the grace there is no time to ask for one after the other.
    const atOnce = isHurried && !breaker.outage ? keys : keys.slice(0, 1)
    const asked = atOnce.map((key) => {
      const known = recall(key, limits.maxAgeMs)
      return known === 'unknown' ? lookUp(key, timeoutMs) : Promise.resolve(known)
    })
    for (const answer of asked) answer.catch(() => {}) // the loop below may end before it gets there
    for (const [i, key] of keys.entries()) {
      const known = asked[i] ? await asked[i] : recall(key, limits.maxAgeMs)
      const found = known === 'unknown' ? await lookUp(key, timeoutMs) : known
      if (found !== 'absent') return found
    }
    throw noneOf(keys, transport.address)
  }

  async function lookUp(key: Key, timeoutMs: number): Promise<Found | 'absent'> {
    if (!cache.isAsking(key.text) && !breaker.mayAsk()) throw breaker.outage
    try {
      const entry = await cache.ask(key.text, () => request(key, timeoutMs))
      return foundAt(key, entry, 'registry', now())
    } catch (error) {
      if (hasCode(error, 'ALIAS_NOT_FOUND')) return 'absent'
      throw error
    }
  }

  async function request(key: Key, timeoutMs: number): Promise<Entry> {
    try {
      const version = await withDeadline({ signal: closing, timeoutMs }, transport.address, (signal) =>
        key.version === undefined
          ? transport.findByAlias(key.name, key.alias as string, { signal, timeoutMs })
          : transport.findByVersion(key.name, key.version, { signal, timeoutMs }),
      )
      admit(version)
      dropOlderNamesake(version)
      const entry = { body: makeBody(version), createdAt: version.createdAt }
      onAnswer(key.name)
      keepFresh(key, timeoutMs)
      return entry
    } catch (thrown) {
      const error = isRegistryError(thrown) ? thrown : brokenTransport(transport.address, thrown)
      if (isOutage(error)) breaker.failed(error)
      else onAnswer()
      if (!isAbsence(error)) onTrouble(error)
      else if (hasCode(error, 'ALIAS_NOT_FOUND')) keepFresh(key, timeoutMs)
      throw error
    }
  }

  /** A version of the same number from before its prompt was deleted and made anew. */
  function dropOlderNamesake({ name, version, createdAt }: PromptVersion): void {
    const pinned = keyOf(name, { version }).text
    const known = cache.peek(pinned)?.answer
    if (known?.kind === 'value' && known.value.createdAt !== createdAt) cache.drop(pinned)
  }

  /** Asks again in the last fifth of the TTL if the entry is still in use, so that no load has to wait for it. */
  function keepFresh(key: Key, timeoutMs: number): void {
    if (key.version !== undefined || ttlMs === 0) return
    timers.after(key.text, ttlMs * (0.8 + 0.15 * random()), () => {
      const known = cache.peek(key.text)
      const isUsed = known !== undefined && now() - known.usedAt <= ttlMs
      if (isUsed && !closing.aborted && !cache.isAsking(key.text)) lookUp(key, timeoutMs).catch(() => {})
    })
  }

  return {
    keysOf,
    fresh(keys) {
      for (const key of keys) {
        const answer = cache.read(key.text)
        if (!answer || !isFresh(key, answer, undefined)) return undefined
        if (answer.kind === 'value') return foundAt(key, answer.value, 'cache', answer.confirmedAt)
        if (!hasCode(answer.error, 'ALIAS_NOT_FOUND')) return undefined
      }
      return undefined
    },
    find,
    async aliasMoved(name, alias, version, limits) {
      const key = keyOf(name, { alias })
      const isInUse = cache.peek(key.text) !== undefined
      cache.drop(key.text)
      if (!isInUse) return
      try {
        const timeoutMs = limits.timeoutMs ?? options.timeoutMs
        const { body } = await find(keysOf(name, { version }), { timeoutMs, signal: limits.signal })
        const entry = cache.peek(keyOf(name, { version }).text)?.answer
        if (entry?.kind === 'value' && entry.value.body === body) cache.write(key.text, entry.value)
      } catch {
        // The move itself succeeded; the next load asks for the alias.
      }
    },
    forget: (name, alias) => cache.drop(keyOf(name, { alias }).text),
  }
}

const foundAt = ({ alias }: Key, { body }: Entry, source: Found['source'], confirmedAt: number): Found => ({
  body,
  source,
  alias,
  confirmedAt,
})

function noneOf(keys: readonly Key[], address: string): RegistryError {
  const aliases = keys.map(({ alias }) => `"${alias}"`)
  const none = aliases.length === 1 ? `no alias ${aliases[0]}` : `none of the aliases ${aliases.join(', ')}`
  return new RegistryError('ALIAS_NOT_FOUND', `prompt "${keys[0]?.name}" has ${none} at ${address}`)
}
