import { type Admitted, brokenTransport, createAdmission } from './admission.ts'
import type { Breaker, Probe } from './breaker.ts'
import { type Answer, createCache } from './cache.ts'
import { withDeadline } from './deadline.ts'
import { isAbsence, isOutage, isRegistryError, type RegistryError } from './errors.ts'
import type { PromptBody, PromptSource, PromptVersion } from './prompt.ts'
import {
  isEmptyAlias,
  type Key,
  keyOf,
  leadsOn,
  noneOf,
  type Part,
  prefixOf,
  type Wanted,
} from './question.ts'
import type { Timers } from './timers.ts'
import type { RequestOptions, Transport } from './transport.ts'

/** With an older value at hand a load waits no longer than this for a newer one. */
const GRACE_MS = 250
/** A version never changes; it is looked at again only in case its prompt was deleted and made anew. */
const VERSION_TTL_MS = 24 * 60 * 60 * 1000
/** "No such thing" is kept for a moment only: every load of a chain asks, and the next second it may exist. */
const LONGEST_ABSENCE_TTL_MS = 5_000

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
  /** Why it is not simply what the registry says now: an outage, a changed version, an alias without a text. */
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
  /**
   * This process wrote: what it was told to be absent of this prompt may be there now, `latest` may be another version,
   * and what is named has changed.
   */
  written(name: string, ...changed: readonly Part[]): void
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

/** The steps of a load that depend on the registry. Falling back to a bundled default is the caller's. */
export function createLoader(options: LoaderOptions): Loader {
  const { transport, breaker, now, random, timers, ttlMs, strict, maxEntries, closing } = options
  const { onAnswer, onTrouble } = options
  const { address, scope } = transport
  const cache = createCache<Admitted>({ now, maxEntries, isAbsence })
  const admit = createAdmission({ address, now, strict, maxPins: maxEntries })

  const keysOf = (name: string, wanted: Wanted): readonly Key[] =>
    'version' in wanted
      ? [keyOf(scope, name, wanted)]
      : wanted.chain.map((alias) => keyOf(scope, name, { alias }))

  async function find(keys: readonly Key[], limits: LoadLimits): Promise<Found> {
    limits.signal?.throwIfAborted()
    const cached = recallFirst(keys, limits.maxAgeMs)
    if (cached) return cached
    const older = strict ? undefined : lastGood(keys)
    // Who says how old an answer may be wants a true one, not a quick one: only an outage gives it an older one.
    const isHurried = older !== undefined && limits.maxAgeMs === undefined
    const timeoutMs = isHurried ? Math.min(limits.timeoutMs, GRACE_MS) : limits.timeoutMs
    try {
      return await withDeadline({ signal: limits.signal, timeoutMs }, address, () =>
        follow(keys, limits, isHurried),
      )
    } catch (cause) {
      if (!older || isAbsence(cause) || limits.signal?.aborted) throw cause
      return { ...older, cause }
    }
  }

  /** Without asking. @throws {RegistryError} the absence, when that is what is known */
  function recallFirst(keys: readonly Key[], maxAgeMs: number | undefined): Found | undefined {
    let empty: Error | undefined
    for (const key of keys) {
      const known = recall(key, maxAgeMs)
      if (!known) return undefined
      if (!(known instanceof Error)) return past(empty, known)
      if (isEmptyAlias(known)) empty ??= known
    }
    throw noneOf(keys, address, empty)
  }

  /** @returns as an error: that there is nothing behind this alias. @throws any other absence */
  function recall(key: Key, maxAgeMs: number | undefined): Found | Error | undefined {
    const answer = cache.read(key.text)
    if (!answer || !isFresh(key, answer, maxAgeMs)) return undefined
    if (answer.kind === 'value') return foundAt(key, answer.value, 'cache', answer.confirmedAt)
    if (leadsOn(key, answer.error)) return answer.error
    throw answer.error
  }

  function isFresh(key: Key, { kind, confirmedAt }: Answer<Admitted>, maxAgeMs: number | undefined): boolean {
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
      if (!leadsOn(key, answer?.error)) return undefined
    }
    return undefined
  }

  /** Alias by alias: only an answer "no such alias" or "no text there" leads on to the next, never an outage. */
  async function follow(keys: readonly Key[], limits: LoadLimits, isHurried: boolean): Promise<Found> {
    const timeoutMs = Math.max(limits.timeoutMs, options.timeoutMs)
    const answerTo = async (key: Key) => recall(key, limits.maxAgeMs) ?? lookUp(key, timeoutMs, isHurried)
    // Within the grace there is no time to ask for one after the other.
    const atOnce = isHurried && !breaker.outage ? keys : keys.slice(0, 1)
    const asked = atOnce.map(answerTo)
    for (const answer of asked) answer.catch(() => {}) // the loop below may end before it gets there
    let empty: Error | undefined
    for (const [i, key] of keys.entries()) {
      const found = await (asked[i] ?? answerTo(key))
      if (!(found instanceof Error)) return past(empty, found)
      if (isEmptyAlias(found)) empty ??= found
    }
    throw noneOf(keys, address, empty)
  }

  /** Answers as `recall`. */
  async function lookUp(key: Key, timeoutMs: number, isHurried: boolean): Promise<Found | Error> {
    for (;;) {
      const leave = cache.isAsking(key.text) || breaker.mayAsk()
      if (leave) {
        try {
          const entry = await cache.ask(key.text, () => request(key, timeoutMs, leave))
          return foundAt(key, entry, 'registry', now())
        } catch (error) {
          if (leadsOn(key, error)) return error as Error
          throw error
        }
      }
      const { probe, outage } = breaker
      // An older value is worth one grace for each probe, and not one for each load.
      if (!probe || (isHurried && now() - probe.startedAt >= GRACE_MS)) throw outage
      await probe.ended // what it hears is true for all: some of one set would get old texts, and some new ones
    }
  }

  async function request(key: Key, timeoutMs: number, leave: boolean | Probe): Promise<Admitted> {
    try {
      const version = await withDeadline({ signal: closing, timeoutMs }, address, (signal) =>
        key.version === undefined
          ? transport.findByAlias(key.name, key.alias as string, { signal, timeoutMs })
          : transport.findByVersion(key.name, key.version, { signal, timeoutMs }),
      ).catch((thrown: unknown) => {
        throw isRegistryError(thrown) ? thrown : brokenTransport(address, thrown)
      })
      const entry = admit(version)
      dropOlderNamesake(version)
      onAnswer(key.name)
      if (entry.defect) onTrouble(entry.defect)
      keepFresh(key, timeoutMs)
      return entry
    } catch (thrown) {
      const error = thrown as RegistryError
      if (isOutage(error)) breaker.failed(error, leave)
      else onAnswer()
      if (!isAbsence(error)) onTrouble(error)
      else if (leadsOn(key, error)) keepFresh(key, timeoutMs)
      throw error
    }
  }

  /** A version of the same number from before its prompt was deleted and made anew. */
  function dropOlderNamesake({ name, version, createdAt }: PromptVersion): void {
    const pinned = keyOf(scope, name, { version }).text
    const known = cache.peek(pinned)?.answer
    if (known?.kind === 'value' && known.value.createdAt !== createdAt) cache.drop(pinned)
  }

  /** Asks again in the last fifth of the TTL if the entry is still in use, so that no load has to wait for it. */
  function keepFresh(key: Key, timeoutMs: number): void {
    if (key.version !== undefined || ttlMs === 0) return
    timers.after(key.text, ttlMs * (0.8 + 0.15 * random()), () => {
      const known = cache.peek(key.text)
      const isUsed = known !== undefined && now() - known.usedAt <= ttlMs
      if (isUsed && !closing.aborted && !cache.isAsking(key.text))
        lookUp(key, timeoutMs, true).catch(() => {})
    })
  }

  const written: Loader['written'] = (name, ...changed) => {
    cache.dropAbsences(prefixOf(scope, name))
    for (const part of [{ alias: 'latest' }, ...changed]) cache.drop(keyOf(scope, name, part).text)
  }

  return {
    keysOf,
    fresh(keys) {
      try {
        return recallFirst(keys, undefined)
      } catch {
        return undefined // what is known is an absence: there may be a default
      }
    },
    find,
    async aliasMoved(name, alias, version, limits) {
      const { text } = keyOf(scope, name, { alias })
      const isInUse = cache.peek(text) !== undefined
      written(name, { alias }, { version })
      if (!isInUse) return
      try {
        // What was known of this number may be from before the prompt was deleted and made anew.
        const timeoutMs = limits.timeoutMs ?? options.timeoutMs
        const pinned = keyOf(scope, name, { version })
        const { source } = await find([pinned], { timeoutMs, signal: limits.signal, maxAgeMs: 0 })
        const answer = cache.peek(pinned.text)?.answer
        if (source === 'registry' && answer?.kind === 'value') cache.write(text, answer.value)
      } catch {
        // The move itself succeeded; the next load asks for the alias.
      }
    },
    written,
  }
}

function foundAt({ alias }: Key, entry: Admitted, source: Found['source'], confirmedAt: number): Found {
  const { body, defect: cause, knownSince } = entry
  return {
    body,
    source: knownSince === undefined ? source : 'stale',
    alias,
    confirmedAt: knownSince ?? confirmedAt,
    cause,
  }
}

/** A value that was found past an alias without a text. */
const past = (empty: Error | undefined, found: Found): Found =>
  empty && !found.cause ? { ...found, cause: empty } : found
