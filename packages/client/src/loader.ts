import type { Admitted } from './admission.ts'
import type { Probe } from './breaker.ts'
import { createCache, type Slot } from './cache.ts'
import { withDeadline } from './deadline.ts'
import { brokenTransport, isAbsence, isOutage, isRegistryError, type RegistryError } from './errors.ts'
import { lazy } from './lazy.ts'
import type {
  Found,
  Fresh,
  LiveWindow,
  Loader,
  LoaderInside,
  LoaderOptions,
  LoadLimits,
} from './loader-port.ts'
import type { PromptVersion } from './prompt.ts'
import { isEmptyAlias, type Key, keyOf, leadsOn, noneOf, prefixOf, type Wanted } from './question.ts'
import { createRefusals } from './refusals.ts'
import { createShare, GRACE_MS } from './share.ts'

/** A version never changes; it is looked at again only in case its prompt was deleted and made anew. */
const VERSION_TTL_MS = 24 * 60 * 60 * 1000
/** "No such thing" is kept for a moment only: every load of a chain asks, and the next second it may exist. */
const LONGEST_ABSENCE_TTL_MS = 5_000
/** However well a follower hears, everything is asked for again after so many TTLs. */
const LONGEST_LIVE_TTLS = 10

/** Of one load. */
interface Patience {
  /** It waits for a moment only. */
  readonly isHurried: boolean
  /** It has something else to give: what was refused lately is not asked again. */
  readonly canDoWithout: boolean
}

/** The steps of a load that depend on the registry. Falling back to a bundled default is the caller's. */
export function createLoader(options: LoaderOptions): Loader {
  const { transport, breaker, now, random, timers, ttlMs, strict, maxEntries, closing, lastGood } = options
  const { onAnswer, onTrouble } = options
  const { address, scope } = transport
  const cache = createCache<Admitted>({ now, maxEntries, isAbsence, onDrop: timers.cancel })
  const admission = lazy(async () => {
    const { createAdmission } = await import('./admission.ts')
    return createAdmission({ address, now, strict, maxPins: maxEntries })
  })
  void admission()
  const admit: LoaderInside['admit'] = async (version) => (await admission())(version)
  const refusals = createRefusals({ now, maxEntries })
  const absenceTtlMs = Math.min(ttlMs, LONGEST_ABSENCE_TTL_MS)
  const heard: LoaderInside['heard'] = (key, version) => lastGood?.heard(key, version)
  let live: LiveWindow | undefined

  const keysOf = (name: string, wanted: Wanted): readonly Key[] =>
    'version' in wanted
      ? [keyOf(scope, name, wanted)]
      : wanted.chain.map((alias) => keyOf(scope, name, { alias }))

  const share = createShare({ find: findPlain, scope, strict, timeoutMs: options.timeoutMs })

  async function find(keys: readonly Key[], limits: LoadLimits): Promise<Found> {
    const startedAt = performance.now()
    const found = await findPlain(keys, limits)
    return limits.key === undefined ? found : share(found, { ...limits, key: limits.key, startedAt })
  }

  async function findPlain(keys: readonly Key[], limits: LoadLimits): Promise<Found> {
    limits.signal?.throwIfAborted()
    const cached = recallFirst(keys, limits.maxAgeMs)
    if (cached) return cached
    let older = strict ? undefined : lastKnown(keys)
    let leftMs = limits.timeoutMs
    if (!older && !strict && lastGood) {
      const startedAt = performance.now()
      older = await lastGood.find(keys)
      leftMs = Math.max(1, leftMs - (performance.now() - startedAt))
    }
    // Who says how old an answer may be wants a true one, not a quick one: only an outage gives it an older one.
    const { hasDefault = false, maxAgeMs } = limits
    const isHurried =
      maxAgeMs === undefined && (older !== undefined || (hasDefault && breaker.outage !== undefined))
    const canDoWithout = maxAgeMs === undefined && (older !== undefined || hasDefault)
    const timeoutMs = isHurried ? Math.min(leftMs, GRACE_MS) : leftMs
    try {
      return await withDeadline({ signal: limits.signal, timeoutMs }, address, () =>
        follow(keys, limits, { isHurried, canDoWithout }),
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
    const slot = cache.read(key.text)
    if (!slot || !isFresh(key, slot, maxAgeMs)) return undefined
    const { answer } = slot
    if (answer.kind === 'value') return foundAt(key, answer.value, 'cache', answer.confirmedAt)
    if (leadsOn(key, answer.error)) return answer.error
    throw answer.error
  }

  /** A negative age means that the clock was set back: nobody knows how old the answer is. */
  function isFresh(key: Key, slot: Slot<Admitted>, maxAgeMs: number | undefined): boolean {
    const { confirmedAt } = slot.answer
    const until = maxAgeMs === undefined ? freshUntil(key, slot) : confirmedAt + maxAgeMs
    const at = now()
    return !slot.isExpired && at >= confirmedAt && at < until
  }

  function freshUntil(key: Key, { answer: { kind, confirmedAt }, askedAt }: Slot<Admitted>): number {
    if (ttlMs === 0) return confirmedAt
    if (key.version !== undefined) return confirmedAt + (kind === 'value' ? VERSION_TTL_MS : absenceTtlMs)
    const own = confirmedAt + (kind === 'value' ? ttlMs : absenceTtlMs)
    // What was asked before the follower heard may be from before a change that it was not told.
    if (!live || askedAt < live.since) return own
    return Math.max(own, Math.min(live.until, confirmedAt + LONGEST_LIVE_TTLS * ttlMs))
  }

  /** The last value that was heard, however old. An alias of which nothing is known ends the search: it may exist. */
  function lastKnown(keys: readonly Key[]): Found | undefined {
    for (const key of keys) {
      const answer = cache.read(key.text)?.answer
      if (answer?.kind === 'value') return foundAt(key, answer.value, 'stale', answer.confirmedAt)
      if (!leadsOn(key, answer?.error)) return undefined
    }
    return undefined
  }

  /** Alias by alias: only an answer "no such alias" or "no text there" leads on to the next, never an outage. */
  async function follow(keys: readonly Key[], limits: LoadLimits, patience: Patience): Promise<Found> {
    const timeoutMs = Math.max(limits.timeoutMs, options.timeoutMs)
    const answerTo = async (key: Key) => recall(key, limits.maxAgeMs) ?? lookUp(key, timeoutMs, patience)
    // Within the grace there is no time to ask for one after the other.
    const atOnce = patience.isHurried && !breaker.outage ? keys : keys.slice(0, 1)
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
  async function lookUp(
    key: Key,
    timeoutMs: number,
    { isHurried, canDoWithout }: Patience,
  ): Promise<Found | Error> {
    if (canDoWithout) refusals.throwIfRecent(key.text)
    for (;;) {
      const leave = cache.isAsking(key.text) || breaker.mayAsk()
      if (leave) {
        try {
          const entry = await cache.ask(key.text, () => request(key, timeoutMs, leave))
          keepFresh(key)
          return foundAt(key, entry, 'registry', now())
        } catch (error) {
          if (isAbsence(error)) keepFresh(key)
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
    const retry = typeof leave === 'boolean' // a probe asks once: what it finds out is worth no more
    try {
      const version = await withDeadline({ signal: closing, timeoutMs }, address, (signal) =>
        key.version === undefined
          ? transport.findByAlias(key.name, key.alias as string, { signal, timeoutMs, retry })
          : transport.findByVersion(key.name, key.version, { signal, timeoutMs, retry }),
      ).catch(asRegistryError)
      const entry = await admit(version).catch(asRegistryError)
      refusals.forget(key.text)
      dropOlderNamesake(version)
      onAnswer(key.name)
      if (entry.defect) onTrouble(entry.defect)
      else heard(key, version)
      return entry
    } catch (thrown) {
      const error = thrown as RegistryError
      if (isOutage(error)) breaker.failed(error, leave)
      else onAnswer()
      if (isAbsence(error)) heard(key, undefined)
      else onTrouble(error)
      if (isOutage(error) || isAbsence(error)) refusals.forget(key.text)
      else refusals.note(key.text, error)
      throw error
    }
  }

  const asRegistryError = (thrown: unknown): never => {
    throw isRegistryError(thrown) ? thrown : brokenTransport(address, thrown)
  }

  /** A version of the same number from before its prompt was deleted and made anew. */
  function dropOlderNamesake({ name, version, createdAt }: PromptVersion): void {
    const pinned = keyOf(scope, name, { version }).text
    const answer = cache.peek(pinned)?.answer
    if (answer?.kind === 'value' && answer.value.createdAt !== createdAt) cache.drop(pinned)
  }

  /**
   * Asks again in the last fifth of the TTL if the entry is still in use, so that no load has to wait for it. Until an
   * answer comes it ends with the TTL by this timer too: the clock of the wall may have been set back.
   */
  function keepFresh(key: Key): void {
    const kind = cache.peek(key.text)?.answer.kind
    if (kind === undefined || key.version !== undefined || ttlMs === 0) return
    const ownMs = kind === 'value' ? ttlMs : absenceTtlMs
    const earlyMs = ownMs * (0.8 + 0.15 * random())
    timers.after(key.text, earlyMs, () => {
      const slot = cache.peek(key.text)
      if (!slot || closing.aborted || cache.isAsking(key.text)) return
      if (live && freshUntil(key, slot) > slot.answer.confirmedAt + ownMs) return keepFresh(key)
      timers.after(key.text, ownMs - earlyMs, () => cache.lapse(key.text)) // unless something newer is heard before
      const isUsed = now() - slot.usedAt <= ttlMs
      if (!isUsed || (slot.answer.kind === 'absence' && !leadsOn(key, slot.answer.error))) return
      lookUp(key, options.timeoutMs, { isHurried: true, canDoWithout: true }).catch(() => {})
    })
  }

  return {
    state: cache.state,
    keysOf,
    fresh(keys) {
      try {
        const found = recallFirst(keys, undefined)
        return found && freshAs(found, keys)
      } catch {
        return undefined // what is known is an absence: there may be a default
      }
    },
    find,
    written(name, ...changed) {
      for (const text of cache.keys(prefixOf(scope, name))) {
        const answer = cache.peek(text)?.answer
        if (answer?.kind !== 'value') cache.drop(text) // also a request under way that may still hear "no such thing"
      }
      for (const part of [{ alias: 'latest' }, ...changed]) cache.drop(keyOf(scope, name, part).text)
    },
    inside: {
      cache,
      scope,
      admit,
      heard,
      keepFresh,
      async refresh(key) {
        await lookUp(key, options.timeoutMs, { isHurried: false, canDoWithout: false })
      },
      freshWhile(given) {
        live = given
        cache.state.epoch++
      },
    },
  }

  /** How long what was concluded from these answers holds, up to the one that it came from. */
  function freshAs(found: Found, keys: readonly Key[]): Fresh {
    const slots: Slot<Admitted>[] = []
    let from = 0
    let until = Number.POSITIVE_INFINITY
    for (const key of keys) {
      const slot = cache.peek(key.text)
      if (!slot) break
      slots.push(slot)
      from = Math.max(from, slot.answer.confirmedAt)
      until = Math.min(until, freshUntil(key, slot))
      if (slot.answer.kind === 'value') break
    }
    return { found, epoch: cache.state.epoch, from, until, slots }
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
