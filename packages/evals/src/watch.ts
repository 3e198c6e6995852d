import type { Registry } from '@promptkeep/client'
import type { Admin } from '@promptkeep/client/admin'
import { answered } from './aliases.ts'
import { type Claims, createClaims } from './claim.ts'
import { EvalFailure } from './errors.ts'
import type { JudgedVersion } from './evidence.ts'
import type { LoadedSuite } from './load-suite.ts'
import { pause } from './pause.ts'
import { DEFAULT_MAX_AGE_MS, type PromoteDeps, promote } from './promote.ts'
import type { Promotion } from './promotion.ts'
import { createAlarm, listen } from './watch-alarm.ts'
import { createReader } from './watch-reader.ts'

export interface WatchOptions {
  readonly suites: readonly LoadedSuite[]
  /** Whoever gets it is a candidate. Default `experiment`. */
  readonly alias?: string | undefined
  /** What a candidate is compared with, and promoted to. Default `production`. */
  readonly to?: string | undefined
  /** Promotes a candidate that passes. Default false: the verdicts are written, and nothing is moved. */
  readonly promote?: boolean | undefined
  /** A run of this age still counts, in milliseconds. Default a day. */
  readonly maxAgeMs?: number | undefined
  /** Judges what waits now, and ends. */
  readonly once?: boolean | undefined
  /** How long a prompt must be left alone before it is judged: somebody may move it twice. Default 2000. */
  readonly debounceMs?: number | undefined
  /** How often is looked where the registry cannot tell of moves, in milliseconds. Default 30 000. */
  readonly intervalMs?: number | undefined
  /** How long another watcher has to say that it judges the same. Default 1000. */
  readonly claimMs?: number | undefined
  readonly signal: AbortSignal
  readonly onEvent?: ((event: WatchEvent) => void) | undefined
}

export type WatchEvent =
  | { readonly kind: 'ready'; readonly candidates: number; readonly live: boolean }
  | { readonly kind: 'judging'; readonly candidate: JudgedVersion }
  /** Another watcher is at it; what it comes to is told when it has. */
  | { readonly kind: 'elsewhere'; readonly candidate: JudgedVersion }
  | { readonly kind: 'judged'; readonly candidate: JudgedVersion; readonly promotion: Promotion }
  /** Nobody answers, or did not for a while; it goes on by itself. */
  | { readonly kind: 'trouble'; readonly message: string; readonly candidate?: JudgedVersion }

export interface WatchDeps extends Omit<PromoteDeps, 'registry' | 'admin'> {
  readonly registry: Pick<Registry, 'find' | 'list' | 'load' | 'setAlias'>
  readonly admin: PromoteDeps['admin'] & Pick<Admin, 'follow'>
}

/** First wait after an outage; the longest is `intervalMs`. */
const RETRY_MS = 1000
/** How often is looked whether another watcher is done. */
const ELSEWHERE_MS = 5000
/** A candidate that could not be judged: each try may cost as much as a whole run. */
const MAX_RETRY_MS = 3_600_000

/** How far a prompt's candidate is. */
interface Case {
  /** `version digest` */
  readonly key: string
  readonly isDone: boolean
  /** Tries that came to nothing, and when the next one is due. */
  readonly failures: number
  readonly dueAt: number
}

/**
 * Judges every version that gets the alias, as a promotion would, and writes the verdicts. It goes by what the alias says,
 * not by the moves that it heard of: a stream or a clock only wakes it. So a move while it was down is found, of several
 * moves the last one is judged, and after an outage it goes on where it was. What was judged is known by its runs, so a
 * restart judges nothing twice, and neither do several watchers.
 * @returns 0: what there was passed, or was judged already and passed, or nothing waits. 1: a candidate failed. 2: nobody
 *   can tell of one. Without `once`: 0 when the signal came.
 */
export async function watch(options: WatchOptions, deps: WatchDeps): Promise<0 | 1 | 2> {
  const { suites, alias = 'experiment', to = 'production', once = false, signal, onEvent } = options
  const { debounceMs = 2000, intervalMs = 30_000, maxAgeMs = DEFAULT_MAX_AGE_MS } = options
  const { tracking, experiment } = deps.evals
  const claims: Claims = createClaims({
    ...{ tracking, experiment: `${experiment}-watch`, now: deps.now, signal },
    settleMs: options.claimMs,
  })
  const { read, holders } = createReader(deps.registry, alias)
  /** By prompt. */
  const cases = new Map<string, Case>()
  const codes: (0 | 1 | 2)[] = []
  const alarm = createAlarm()
  const following = new AbortController()
  const ends = AbortSignal.any([signal, following.signal])
  let failures = 0
  let isReady = false
  const listening = once
    ? undefined
    : listen(deps.admin, { alias, alarm, intervalMs, signal: ends, onTrouble })

  try {
    while (!signal.aborted) {
      alarm.reset()
      let waitMs = intervalMs
      try {
        const waiting = await candidatesNow()
        if (!isReady && !once) {
          const live = (await answered(deps.admin.capabilities())).live
          onEvent?.({ kind: 'ready', candidates: waiting.length, live })
        }
        isReady = true
        for (const candidate of waiting) if (!signal.aborted) await handle(candidate)
        failures = 0
        for (const { isDone, dueAt } of cases.values())
          if (!isDone) waitMs = Math.min(waitMs, Math.max(RETRY_MS, dueAt - deps.now()))
        if (once && ![...cases.values()].some(({ isDone, failures }) => !isDone && failures === 0)) break
      } catch (error) {
        if (!(error instanceof EvalFailure)) throw error
        if (signal.aborted) break
        onTrouble(error.message)
        if (once) return 2
        // What is wrong now may be put right while it runs: a token, an experiment, a server.
        waitMs = Math.min(intervalMs, RETRY_MS * 2 ** failures++)
      }
      await alarm.wait(waitMs, signal)
      if (alarm.rang()) await settle()
    }
    return once ? (signal.aborted ? 2 : worst(codes)) : 0
  } finally {
    following.abort()
    await listening
  }

  function onTrouble(message: string, candidate?: JudgedVersion): void {
    onEvent?.({ kind: 'trouble', message, ...(candidate && { candidate }) })
  }

  /** Waits until nobody moved anything for a moment. */
  async function settle(): Promise<void> {
    do {
      alarm.reset()
      await pause(debounceMs, signal)
    } while (alarm.rang() && !signal.aborted)
  }

  async function candidatesNow(): Promise<JudgedVersion[]> {
    const candidates: JudgedVersion[] = []
    const names = await holders()
    for (const name of cases.keys()) if (!names.has(name)) cases.delete(name)
    for (const name of names.keys()) {
      const here = await read(name, alias)
      if (!here || (await read(name, to))?.digest === here.digest) {
        cases.delete(name)
        continue
      }
      const known = cases.get(name)
      const isNew = known?.key !== keyOf(here)
      if (isNew) cases.delete(name)
      if (isNew || (!known.isDone && known.dueAt <= deps.now())) candidates.push(here)
    }
    return candidates
  }

  async function handle(candidate: JudgedVersion): Promise<void> {
    const { name, version } = candidate
    const key = keyOf(candidate)
    // Somebody may have moved it on while another one was judged: only the newest counts.
    const newest = await read(name, alias)
    if (!newest || keyOf(newest) !== key) return alarm.ring()
    const datasets = suites.map(({ suite, dataset }) => `${suite.name} ${dataset.digest}`)
    const since = deps.now() - maxAgeMs
    const claim = await claims.take(`watch ${name} v${version}`, [name, key, alias, to, ...datasets], since)
    if (claim.state === 'taken') {
      if (!cases.has(name)) onEvent?.({ kind: 'elsewhere', candidate })
      cases.set(name, {
        key,
        isDone: false,
        failures: 0,
        dueAt: deps.now() + Math.min(intervalMs, ELSEWHERE_MS),
      })
      return
    }
    let outcome: string | undefined
    try {
      outcome = await judge(candidate, claim.state !== 'done' || claim.outcome !== 'undecided')
    } finally {
      if (claim.state === 'ours') await claim.release(outcome).catch(notReleased)
    }
  }

  /** It ends by itself then, as one whose holder is gone. */
  function notReleased(error: unknown): void {
    if (!(error instanceof EvalFailure)) throw error
    onTrouble(error.message)
  }

  /** @returns what it came to; `undefined`: nothing that lasts */
  async function judge(candidate: JudgedVersion, run: boolean): Promise<string | undefined> {
    const { name } = candidate
    const key = keyOf(candidate)
    const before = await lastMoves(name)
    onEvent?.({ kind: 'judging', candidate })
    const promotion = await promote(
      { name, from: alias, to, suites, run, maxAgeMs: options.maxAgeMs, move: options.promote === true },
      deps,
    )
    if (signal.aborted) return undefined
    const isUndecided = promotion.outcome === 'undecided'
    if (isUndecided && (await lastMoves(name)) !== before) {
      alarm.ring() // by whoever moved an alias meanwhile, perhaps there and back: what was judged is not what is there
      cases.delete(name)
      return undefined
    }
    if (isUndecided && isStuck(promotion, suites.length)) {
      // Whoever did not answer may answer later.
      const tries = (cases.get(name)?.failures ?? 0) + 1
      cases.set(name, {
        ...{ key, isDone: false, failures: tries },
        dueAt: deps.now() + Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** (tries - 1)),
      })
      codes.push(2)
      onTrouble(promotion.problems.join('; '), candidate)
      return undefined
    }
    cases.set(name, { key, isDone: true, failures: 0, dueAt: 0 })
    codes.push(promotion.exitCode)
    onEvent?.({ kind: 'judged', candidate, promotion })
    return promotion.outcome
  }

  async function lastMoves(prompt: string): Promise<string> {
    const moves = [alias, to].map(async (one) => {
      const [last] = (await answered(deps.admin.changes({ prompt, alias: one, limit: 1 }))).items
      return `${last?.seq} ${last?.at} ${last?.to}`
    })
    return (await Promise.all(moves)).join('; ')
  }
}

/** It came to no judgement, or the judgement could not be written down. */
const isStuck = ({ suites, problems }: Promotion, count: number): boolean =>
  suites.length < count || (problems.length > 0 && suites.some(({ outcome }) => outcome !== 'not-concerned'))

const keyOf = ({ version, digest }: JudgedVersion): string => `${version} ${digest}`

/** Whatever nobody can tell outweighs a failure, as of suites. */
const worst = (codes: readonly (0 | 1 | 2)[]): 0 | 1 | 2 =>
  codes.includes(2) ? 2 : codes.includes(1) ? 1 : 0
