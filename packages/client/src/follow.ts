import { lifeMsOf, openStream } from './change-stream.ts'
import { readConnection } from './connection.ts'
import { forMany, MAX_TIMER_MS, sleep } from './deadline.ts'
import { hasCode, isRegistryError, type RegistryError } from './errors.ts'
import type { FollowedChange, Following, FollowOptions, FollowState } from './follow-api.ts'
import { createApply } from './follow-apply.ts'
import { createCheck } from './follow-check.ts'
import { readFollowOptions } from './follow-options.ts'
import { createAliasPoll, readLog } from './follow-poll.ts'
import { createReports } from './follow-report.ts'
import { createTurns } from './follow-turns.ts'
import { createHttp } from './http.ts'
import type { LiveCache } from './live-cache.ts'
import { toChange } from './own-wire.ts'
import type { Json } from './prompt.ts'
import type { Settings } from './settings.ts'
import { createTimers } from './timers.ts'
import type { Capabilities, Change, Transport } from './transport.ts'

const FIRST_BACKOFF_MS = 200
const LONGEST_BACKOFF_MS = 30_000
/** Of each request of a poll. */
const POLL_TIMEOUT_MS = 10_000
/** However good the stream, everything is asked for again after so many TTLs. */
const CHECK_EVERY_TTLS = 10

export interface FollowDeps {
  readonly transport: Transport
  /** The transport is the caller's own: it is polled. */
  readonly isOwnTransport: boolean
  readonly cache: LiveCache
  readonly settings: Pick<Settings, 'logger' | 'ttlMs' | 'trackingUri' | 'env'>
  /** 0 ≤ n < 1 */
  readonly random: () => number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Aborted when the registry is closed. */
  readonly closing: AbortSignal
  readonly options: FollowOptions
  readonly fetch?: typeof fetch
}

/**
 * Keeps the cache as the registry is, from now on. A stream that is lost is connected again after its cursor, so that
 * nothing is missed; while it cannot be had, the log (or on a stock MLflow the list of prompts) is polled.
 * @returns `ended`: when it is over and, where it reports, the registry was told so. @throws {InvalidInput}
 */
export function startFollowing(deps: FollowDeps): {
  readonly following: Following
  readonly ended: Promise<void>
} {
  const { transport, cache, settings, random, now, closing } = deps
  const { logger, ttlMs, trackingUri, env } = settings
  const { pollMs, onChange, report: asWhom, signal: given } = readFollowOptions(deps.options)
  const controller = new AbortController()
  /** Its own: one that begins after this must not lose its timers when this ends. */
  const timers = createTimers()
  const signal = forMany(AbortSignal.any([controller.signal, closing, ...(given ? [given] : [])]))
  const fetch = deps.fetch ?? globalThis.fetch
  const connection = deps.isOwnTransport ? undefined : readConnection(trackingUri, env)
  const http = connection && createHttp({ connection, fetch, random })
  const turns = createTurns((ms, work) => void sleep(ms, signal, true).then(work, work))
  const check = connection && createCheck({ connection, fetch, cache, turns, signal })
  const apply = createApply(cache)
  const pollAliases = createAliasPoll(transport, cache)
  const reports =
    asWhom && http && createReports({ http, cache, report: asWhom, timers, seq: () => turns.seq })

  // Who only wants a true cache may end any time; who listens waits for something.
  const isAside = onChange === undefined
  const pause = (ms: number) => sleep(ms, signal, isAside)

  let state: FollowState = 'connecting'
  /** What was confirmed since then is as fresh as the stream: nothing was missed. */
  let since: number | undefined
  /** Since the stream was heard last. */
  let failures = 0
  let hasFleet = false
  let nextPollAt = 0
  let isReady = false
  let endWait = () => {}
  const readiness = new Promise<void>((resolve) => {
    endWait = resolve
  })

  function become(next: FollowState, error?: RegistryError): void {
    if (state === next || state === 'stopped') return
    const fields = {
      state: next,
      was: state,
      ...(turns.seq !== undefined && { seq: turns.seq }),
      ...(error && { err: error }),
    }
    state = next
    if (next !== 'live') cache.freshWhile(undefined)
    if (next === 'live' || next === 'polling' || next === 'stopped') {
      isReady = true
      endWait()
    }
    const isBad = next === 'down' || (next === 'stopped' && error !== undefined)
    logger[isBad ? 'warn' : 'info'](fields, 'live.changed')
  }

  function tell(change: Change | FollowedChange): void {
    try {
      onChange?.(change)
    } catch (err) {
      logger.error({ err }, 'live.callback_failed')
    }
  }

  /** Of the log, each exactly once. @param given - As {@link Apply.change}. */
  async function take(change: Change, ...given: [wire: Json | undefined, isPast: boolean]): Promise<void> {
    check?.touched(change.prompt)
    await turns.take(change.seq, () => apply.change(change, ...given))
    tell(change)
    if (cache.aliases().some(({ name }) => name === change.prompt)) report()
  }

  const report = () => (hasFleet ? reports?.soon() : undefined)

  /** Nothing that was asked before is known to be of now. */
  function hearFrom(seq: number): void {
    turns.begin(seq)
    cache.supersede()
    since = now() + 1 // an answer of the same millisecond may be from before
  }

  /** Everything may be another: nothing is fresh until it was asked for again. */
  function startAnew(seq: number): void {
    hearFrom(seq)
    for (const name of new Set(cache.aliases().map((one) => one.name))) cache.changed(name)
    checkAll()
  }

  function checkAll(): void {
    // What was not confirmed is asked for by the loads.
    check?.run().then(report, () => {})
  }

  /** One connection, to its end. @throws {RegistryError} */
  async function stream(): Promise<void> {
    if (!connection) return
    let lifeMs = 0
    let endOfPast = 0
    const cursor = turns.seq === undefined ? undefined : String(turns.seq)
    for await (const { event, data } of openStream({ connection, fetch, signal, isAside }, cursor)) {
      if (event === 'hello') {
        lifeMs = lifeMsOf(data)
        endOfPast = Number(data.seq)
        if (since === undefined) {
          hearFrom(turns.seq ?? endOfPast)
          checkAll()
        }
        failures = 0
        become('live')
        report()
      }
      if (event === 'change') {
        const change = toChange(data.change)
        const { seq = 0 } = change
        await take(change, data.model_version, seq < endOfPast)
        if (seq === endOfPast) await apply.settle()
      }
      if (event === 'reset') {
        const { reason } = data
        endOfPast = Number(data.last) // it may have been set back to before the place where it was opened
        startAnew(endOfPast)
        logger.warn({ reason, seq: turns.seq }, 'live.reset')
      }
      if (event === 'end') break
      if (since !== undefined && (turns.seq ?? 0) >= endOfPast)
        cache.freshWhile({ since, until: now() + lifeMs })
    }
  }

  /** @throws {RegistryError} */
  async function poll(canHistory: boolean): Promise<void> {
    const limits = { timeoutMs: POLL_TIMEOUT_MS, signal }
    if (!canHistory || !http) {
      since = undefined
      for (const change of await pollAliases(limits)) tell(change)
    } else {
      const { changes, last, reset } = await http.within(limits, (send) => readLog(send, turns.seq))
      if (reset !== undefined) logger.warn({ reason: reset, seq: last }, 'live.reset')
      if (reset !== undefined || turns.seq === undefined) startAnew(last)
      for (const change of changes) await take(change, undefined, true)
      await apply.settle()
    }
    become('polling')
    report()
  }

  /** Asks at its interval until it is time to try the stream again. */
  async function pollFor(ms: number, canHistory: boolean): Promise<void> {
    const until = performance.now() + ms
    for (;;) {
      if (performance.now() >= nextPollAt) {
        nextPollAt = performance.now() + pollMs * (0.9 + 0.2 * random())
        try {
          await poll(canHistory)
        } catch (error) {
          if (signal.aborted || isRefusal(error)) throw error
          become('down', error as RegistryError)
        }
      }
      const leftMs = until - performance.now()
      if (leftMs <= 0) return
      await pause(Math.min(leftMs, Math.max(1, nextPollAt - performance.now())))
    }
  }

  async function follow(): Promise<void> {
    for (;;) {
      let can: Pick<Capabilities, 'live' | 'history' | 'fleet'>
      try {
        can = deps.isOwnTransport
          ? { live: false, history: false, fleet: false }
          : await transport.capabilities({ timeoutMs: POLL_TIMEOUT_MS, signal })
      } catch (error) {
        if (signal.aborted || isRefusal(error)) throw error
        become('down', error as RegistryError)
        await pause(backoff())
        continue
      }
      hasFleet = can.fleet
      if (!can.live) {
        await pollFor(LONGEST_BACKOFF_MS, can.history) // then it is asked again what it can: it may be another server
        continue
      }
      try {
        await stream()
      } catch (error) {
        if (signal.aborted || isRefusal(error)) throw error
        if (failures === 0) logger.warn({ err: error, seq: turns.seq }, 'live.lost')
      }
      cache.freshWhile(undefined)
      if (state !== 'live') await pollFor(backoff(), can.history)
      else {
        become('connecting')
        await pause(backoff()) // what polling would find, the stream tells as soon
      }
    }
  }

  const backoff = () => Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** failures++) * (0.5 + random())

  function keepChecking(): void {
    if (!check || ttlMs === 0) return
    timers.after('check', CHECK_EVERY_TTLS * ttlMs * (0.9 + 0.1 * random()), () => {
      if (state === 'live') checkAll()
      keepChecking()
    })
  }

  keepChecking()
  const ended = follow().catch(async (error: unknown) => {
    become('stopped', signal.aborted || !isRegistryError(error) ? undefined : error)
    if (!signal.aborted && !isRegistryError(error)) logger.error({ err: error }, 'live.broken')
    timers.clear()
    await reports?.end()
  })

  const following: Following = {
    get state() {
      return signal.aborted ? 'stopped' : state
    },
    get seq() {
      return turns.seq
    },
    get ready() {
      if (isReady) return readiness
      // Whoever waits for it must not see its process end: nothing else here may keep it alive.
      const hold = setTimeout(() => {}, MAX_TIMER_MS)
      void readiness.then(() => clearTimeout(hold))
      return readiness
    },
    stop: () => controller.abort(new Error('stopped')),
  }
  return { following, ended }
}

/** Trying again is no use. */
const isRefusal = (error: unknown) => hasCode(error, 'UNAUTHENTICATED', 'FORBIDDEN')
