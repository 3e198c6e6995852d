import { hasCode, isOutage, type Registry } from '@promptkeep/client'
import type { Admin } from '@promptkeep/client/admin'
import { answered, findHolders } from './aliases.ts'
import { EvalFailure, messageOf } from './errors.ts'
import type { JudgedVersion } from './evidence.ts'
import { judgeCandidate } from './judge-candidate.ts'
import type { JudgedRun } from './judge-suite.ts'
import type { LoadedSuite } from './load-suite.ts'
import { pause } from './pause.ts'
import { DEFAULT_MAX_AGE_MS, type PromoteDeps, promote } from './promote.ts'
import { concludeSuites, type Promotion, type SuiteJudgement } from './promotion.ts'

export interface WatchOptions {
  readonly suites: readonly LoadedSuite[]
  /** Whoever gets it is a candidate. Default `experiment`. */
  readonly alias?: string | undefined
  /** What a candidate is compared with, and promoted to. Default `production`. */
  readonly to?: string | undefined
  /** Promotes a candidate that passes. Default false. */
  readonly promote?: boolean | undefined
  /** A run of this age still counts, in milliseconds. Default a day. */
  readonly maxAgeMs?: number | undefined
  /** Judges what waits now, and ends. */
  readonly once?: boolean | undefined
  /** How long a prompt must be left alone before it is judged: somebody may move it twice. Default 2000. */
  readonly debounceMs?: number | undefined
  /** How often is looked where the registry cannot tell of moves, in milliseconds. Default 30 000. */
  readonly intervalMs?: number | undefined
  readonly signal: AbortSignal
  readonly onEvent?: ((event: WatchEvent) => void) | undefined
}

export type WatchEvent =
  | { readonly kind: 'ready'; readonly candidates: number; readonly live: boolean }
  | { readonly kind: 'judging'; readonly candidate: JudgedVersion }
  | { readonly kind: 'judged'; readonly candidate: JudgedVersion; readonly suites: readonly SuiteJudgement[] }
  | { readonly kind: 'promoted'; readonly promotion: Promotion }
  /** Nobody answers, or did not for a while; it goes on by itself. */
  | { readonly kind: 'trouble'; readonly message: string }

export interface WatchDeps extends Omit<PromoteDeps, 'registry' | 'admin'> {
  readonly registry: Pick<Registry, 'find' | 'list' | 'load' | 'setAlias'>
  readonly admin: PromoteDeps['admin'] & Pick<Admin, 'follow'>
}

/** First wait after an outage; the longest is `intervalMs`. */
const RETRY_MS = 1000

/**
 * Judges every version that gets the alias. It goes by what the alias says, not by the moves that it heard of: a stream or
 * a clock only wakes it. So a move while it was down is found, of several moves the last one is judged, and after an outage
 * it goes on where it was.
 * @returns 0: what there was passed, or was judged already and passed, or nothing waits. 1: a candidate failed. 2: nobody
 *   can tell of one. Without `once`: 0 when the signal came.
 */
export async function watch(options: WatchOptions, deps: WatchDeps): Promise<0 | 1 | 2> {
  const { suites, alias = 'experiment', to = 'production', once = false, signal, onEvent } = options
  const { debounceMs = 2000, intervalMs = 30_000, maxAgeMs = DEFAULT_MAX_AGE_MS } = options
  /** By prompt: what was judged, as `version digest`. */
  const done = new Map<string, string>()
  let codes: (0 | 1 | 2)[] = []
  const alarm = createAlarm()
  const following = new AbortController()
  const ends = AbortSignal.any([signal, following.signal])
  let failures = 0
  let isReady = false
  const listening = once ? undefined : listen()

  try {
    while (!signal.aborted) {
      alarm.reset()
      try {
        const waiting = await candidatesNow()
        if (!isReady && !once) {
          const live = (await answered(deps.admin.capabilities())).live
          onEvent?.({ kind: 'ready', candidates: waiting.length, live })
        }
        isReady = true
        for (const candidate of waiting) if (!signal.aborted) await handle(candidate)
        failures = 0
      } catch (error) {
        if (!(error instanceof EvalFailure)) throw error
        if (signal.aborted) break
        onEvent?.({ kind: 'trouble', message: error.message })
        if (once) return 2
        // What is wrong now may be put right while it runs: a token, an experiment, a server.
        await pause(Math.min(intervalMs, RETRY_MS * 2 ** failures++), signal)
        continue
      }
      if (once) return signal.aborted ? 2 : worst(codes)
      codes = []
      await alarm.wait(intervalMs, signal)
      if (alarm.rang()) await settle()
    }
    return once ? 2 : 0
  } finally {
    following.abort()
    await listening
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
    for (const [name, version] of await holders()) {
      const here = await read(name, alias)
      if (!here || (await read(name, to))?.digest === here.digest) continue
      if (done.get(name) !== keyOf(here))
        candidates.push({ name, version: here.version ?? version, digest: here.digest })
    }
    return candidates
  }

  /** None is no mistake here: they come. */
  async function holders(): Promise<ReadonlyMap<string, number>> {
    try {
      return await findHolders(deps.registry, [alias])
    } catch (error) {
      if (error instanceof EvalFailure && error.code === 'CONFIGURATION' && error.cause === undefined)
        return new Map()
      throw error
    }
  }

  async function read(name: string, which: string): Promise<JudgedVersion | undefined> {
    try {
      const { version, digest } = await deps.registry.load(name, { alias: which })
      return { name, version, digest }
    } catch (error) {
      if (hasCode(error, 'ALIAS_NOT_FOUND', 'PROMPT_NOT_FOUND')) return undefined
      throw new EvalFailure(isOutage(error) ? 'INFRASTRUCTURE' : 'CONFIGURATION', messageOf(error), {
        cause: error,
      })
    }
  }

  async function handle(candidate: JudgedVersion): Promise<void> {
    // Somebody may have moved it on while another one was judged: only the newest counts.
    const newest = await read(candidate.name, alias)
    if (!newest || keyOf(newest) !== keyOf(candidate)) return alarm.ring()
    onEvent?.({ kind: 'judging', candidate })
    if (options.promote) {
      const { name } = candidate
      const promotion = await promote({ name, from: alias, to, suites, maxAgeMs: options.maxAgeMs }, deps)
      if (promotion.outcome === 'undecided' && promotion.suites.length < suites.length) {
        // It came to no judgement: whoever did not answer may answer later.
        codes.push(2)
        throw new EvalFailure('INFRASTRUCTURE', promotion.problems.join('; '))
      }
      done.set(name, keyOf(candidate))
      codes.push(promotion.exitCode)
      onEvent?.({ kind: 'promoted', promotion })
      return
    }
    const freshSince = deps.now() - maxAgeMs
    const judged: JudgedRun[] = []
    for (const suite of suites)
      judged.push(await judgeCandidate({ suite, candidate, from: alias, to, freshSince, run: true }, deps))
    if (signal.aborted) return
    done.set(candidate.name, keyOf(candidate))
    const said = judged.map(({ evidence: _, ...one }) => one)
    codes.push(codeOf(said))
    onEvent?.({ kind: 'judged', candidate, suites: said })
  }

  /** Wakes the loop at each move of the alias; the loop looks for itself what is new. */
  async function listen(): Promise<void> {
    let wait = RETRY_MS
    while (!ends.aborted) {
      try {
        for await (const event of deps.admin.follow({ signal: ends })) {
          wait = RETRY_MS
          if (event.kind === 'lost') onEvent?.({ kind: 'trouble', message: messageOf(event.error) })
          if (event.kind !== 'change' || event.change.alias === alias) alarm.ring()
        }
      } catch (error) {
        if (hasCode(error, 'INVALID_INPUT')) return // stock MLflow tells of nothing: the clock wakes it
        if (!(error instanceof Error && 'code' in error)) throw error
        await pause(wait, ends)
        wait = Math.min(intervalMs, wait * 2)
      }
    }
  }
}

const keyOf = ({ version, digest }: JudgedVersion): string => `${version} ${digest}`

function codeOf(suites: readonly SuiteJudgement[]): 0 | 1 | 2 {
  const sum = concludeSuites(suites)
  return sum === 'pass' ? 0 : sum === 'fail' ? 1 : 2
}

/** Whatever nobody can tell outweighs a failure, as of suites. */
const worst = (codes: readonly (0 | 1 | 2)[]): 0 | 1 | 2 =>
  codes.includes(2) ? 2 : codes.includes(1) ? 1 : 0

interface Alarm {
  ring(): void
  reset(): void
  rang(): boolean
  /** Until it rings, or the time is over, or the signal comes. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

function createAlarm(): Alarm {
  let hasRung = false
  let wake = new AbortController()
  return {
    ring() {
      hasRung = true
      wake.abort()
    },
    reset() {
      hasRung = false
      wake = new AbortController()
    },
    rang: () => hasRung,
    wait: (ms, signal) => pause(ms, AbortSignal.any([signal, wake.signal])),
  }
}
