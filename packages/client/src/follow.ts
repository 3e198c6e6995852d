import { openStream } from './change-stream.ts'
import { readConnection } from './connection.ts'
import { forMany, sleep } from './deadline.ts'
import { hasCode, isRegistryError, type RegistryError } from './errors.ts'
import type { FollowedChange, Following, FollowOptions, FollowState } from './follow-api.ts'
import { createApply } from './follow-apply.ts'
import { createCheck } from './follow-check.ts'
import { createAliasPoll, readLog } from './follow-poll.ts'
import { createReports } from './follow-report.ts'
import { createHttp } from './http.ts'
import type { LiveCache } from './live-cache.ts'
import { toChange } from './own-wire.ts'
import { checkObject, isAtLeast, refuse } from './refuse.ts'
import type { Settings } from './settings.ts'
import type { Timers } from './timers.ts'
import type { Change, Transport } from './transport.ts'

const FIRST_BACKOFF_MS = 200
const LONGEST_BACKOFF_MS = 30_000
/** Of each request of a poll. */
const POLL_TIMEOUT_MS = 10_000
/** However good the stream, everything is asked for again after so many TTLs. */
const CHECK_EVERY_TTLS = 10
/** Two heartbeats and a moment: then nobody knows whether the stream still lives. */
const lifeOf = (heartbeatMs: number) => 2 * heartbeatMs + 1_000

export interface FollowDeps {
  readonly transport: Transport
  /** The transport is the caller's own: it is polled. */
  readonly isOwnTransport: boolean
  readonly cache: LiveCache
  readonly settings: Pick<Settings, 'logger' | 'ttlMs' | 'trackingUri' | 'env'>
  readonly timers: Timers
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
 * @throws {InvalidInput}
 */
export function startFollowing(deps: FollowDeps): Following {
  const { transport, cache, settings, timers, random, now, closing } = deps
  const { logger, ttlMs, trackingUri, env } = settings
  const { pollMs, onChange, report, signal: given } = readOptions(deps.options)
  const controller = new AbortController()
  const signal = forMany(AbortSignal.any([controller.signal, closing, ...(given ? [given] : [])]))
  const fetch = deps.fetch ?? globalThis.fetch
  const connection = deps.isOwnTransport ? undefined : readConnection(trackingUri, env)
  const http = connection && createHttp({ connection, fetch, random })
  const check = connection && createCheck({ connection, fetch, cache, signal })
  const apply = createApply(cache)
  const pollAliases = createAliasPoll(transport, cache)
  const reports = report && http && createReports({ http, cache, report, timers, seq: () => seq })

  let state: FollowState = 'connecting'
  let seq: number | undefined
  /** The last change that a full check knew: an older one that comes later is no news to what was checked. */
  let checkedSeq = 0
  let isReady = () => {}
  const ready = new Promise<void>((resolve) => {
    isReady = resolve
  })

  function become(next: FollowState, error?: RegistryError): void {
    if (state === next || state === 'stopped') return
    const fields = {
      state: next,
      was: state,
      ...(seq !== undefined && { seq }),
      ...(error && { err: error }),
    }
    state = next
    if (next !== 'live') cache.freshWhile(undefined)
    if (next === 'live' || next === 'polling' || next === 'stopped') isReady()
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

  /** Of the log, each exactly once. */
  async function take(change: Change, wire?: Parameters<typeof apply>[1]): Promise<void> {
    const isChecked =
      (change.seq ?? 0) <= checkedSeq &&
      cache.aliases().some((one) => one.name === change.prompt && one.alias === change.alias && one.version)
    if (!isChecked) await apply(change, wire)
    seq = change.seq ?? seq
    tell(change)
    reports?.soon()
  }

  /** Everything may be another: nothing is fresh until it was asked for again. */
  async function startAnew(): Promise<void> {
    for (const name of new Set(cache.aliases().map((one) => one.name))) cache.changed(name)
    await check?.()
  }

  /** One connection, to its end. @returns whether it was heard. @throws {RegistryError} */
  async function stream(): Promise<void> {
    if (!connection) return
    let lifeMs = 0
    /** What was confirmed since then is as fresh as the stream; a reader that goes on after its cursor missed nothing. */
    let since = now()
    let caughtUpAt = 0
    const stillAlive = () => {
      if ((seq ?? 0) >= caughtUpAt) cache.freshWhile({ since, until: now() + lifeMs })
    }
    for await (const { event, data } of openStream(
      { connection, fetch, signal },
      seq === undefined ? undefined : String(seq),
    )) {
      if (event === 'hello') {
        lifeMs = lifeOf(Number(data.heartbeat_ms ?? 15_000))
        caughtUpAt = Number(data.seq)
        if (seq === undefined) seq = caughtUpAt
        else since = aliveSince ?? since
        aliveSince = since
        failures = 0
        become('live')
        reports?.soon()
      }
      if (event === 'change') await take(toChange(data.change), data.model_version)
      if (event === 'reset') {
        seq = Number(data.last)
        aliveSince = since = now()
        logger.warn({ reason: data.reason, seq }, 'live.reset')
        await startAnew()
      }
      if (event === 'end') break
      stillAlive()
    }
  }
  /** Since when nothing was missed. */
  let aliveSince: number | undefined
  let failures = 0

  /** @throws {RegistryError} */
  async function poll(canHistory: boolean): Promise<void> {
    const limits = { timeoutMs: POLL_TIMEOUT_MS, signal }
    if (!canHistory || !http) {
      aliveSince = undefined
      for (const change of await pollAliases(limits)) tell(change)
    } else if (seq === undefined) {
      const { last } = await http.within(limits, (send) => readLog(send, undefined))
      await startAnew()
      seq = last
    } else {
      const { changes } = await http.within(limits, (send) => readLog(send, seq))
      for (const change of changes) await take(change)
    }
    become('polling')
    reports?.soon()
  }

  /** Asks at its interval until it is time to try the stream again; without end where there is none. */
  async function pollFor(ms: number, canHistory: boolean): Promise<void> {
    const until = performance.now() + ms
    for (;;) {
      try {
        await poll(canHistory)
      } catch (error) {
        if (signal.aborted || isRefusal(error)) throw error
        become('down', error as RegistryError)
      }
      const leftMs = until - performance.now()
      if (leftMs <= 0) return
      await sleep(Math.min(leftMs, pollMs * (0.9 + 0.2 * random())), signal)
    }
  }

  async function follow(): Promise<void> {
    for (;;) {
      let can: { readonly live: boolean; readonly history: boolean }
      try {
        can = deps.isOwnTransport
          ? { live: false, history: false }
          : await transport.capabilities({ timeoutMs: POLL_TIMEOUT_MS, signal })
      } catch (error) {
        if (signal.aborted || isRefusal(error)) throw error
        become('down', error as RegistryError)
        await sleep(backoff(), signal)
        continue
      }
      if (!can.live) {
        await pollFor(LONGEST_BACKOFF_MS, can.history) // then it is asked again what it can: it may be another server
        continue
      }
      try {
        await stream()
      } catch (error) {
        if (signal.aborted || isRefusal(error)) throw error
        if (failures === 0) logger.warn({ err: error, seq }, 'live.lost')
      }
      cache.freshWhile(undefined)
      if (state === 'live') become('connecting')
      // The first time it is only connected anew: what polling would find, the stream tells as soon.
      if (failures === 0) await sleep(backoff(), signal)
      else await pollFor(backoff(), can.history)
    }
  }

  const backoff = () => Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** failures++) * (0.5 + random())

  function keepChecking(): void {
    if (!check || ttlMs === 0) return
    timers.after('live check', CHECK_EVERY_TTLS * ttlMs * (0.9 + 0.1 * random()), () => {
      const checked = state === 'live' ? check() : Promise.resolve(undefined)
      checked
        .then((known) => {
          checkedSeq = Math.max(checkedSeq, known ?? 0)
        })
        .catch(() => {}) // what was not confirmed is asked for by the loads
        .finally(keepChecking)
    })
  }

  keepChecking()
  follow().catch((error: unknown) => {
    become('stopped', signal.aborted || !isRegistryError(error) ? undefined : error)
    if (!signal.aborted && !isRegistryError(error)) logger.error({ err: error }, 'live.broken')
    void reports?.end()
  })

  return {
    get state() {
      return signal.aborted ? 'stopped' : state
    },
    get seq() {
      return seq
    },
    ready,
    stop: () => controller.abort(new Error('stopped')),
  }
}

/** Trying again is no use. */
const isRefusal = (error: unknown) => hasCode(error, 'UNAUTHENTICATED', 'FORBIDDEN')

/** @throws {InvalidInput} */
function readOptions(options: FollowOptions) {
  checkObject(options, 'options')
  const { pollIntervalSeconds = 15, onChange, report, signal } = options
  if (!isAtLeast(pollIntervalSeconds, 1))
    refuse('pollIntervalSeconds', pollIntervalSeconds, 'a number of seconds from 1')
  if (onChange !== undefined && typeof onChange !== 'function')
    refuse('onChange', onChange, 'a function (change)')
  if (signal !== undefined && typeof signal?.addEventListener !== 'function')
    refuse('signal', signal, 'an AbortSignal')
  if (report !== undefined) {
    checkObject(report, 'report')
    for (const [key, value] of Object.entries(report)) {
      if (value !== undefined && (typeof value !== 'string' || !/^[\w.:@/-]{1,100}$/.test(value)))
        refuse(`report.${key}`, value, 'at most 100 letters, digits and _ . : @ / -')
    }
    if (report.app === undefined) refuse('report.app', report.app, 'the name of the app')
  }
  return { pollMs: pollIntervalSeconds * 1000, onChange, report, signal }
}
