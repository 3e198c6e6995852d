import { setTimeout as wait } from 'node:timers/promises'
import type { Case } from './dataset.ts'
import { notRun, runTrial } from './run-trial.ts'
import type { BoundScorer } from './scorers/define-scorer.ts'
import type { Score } from './scorers/scorer.ts'
import type { ScorerServices } from './scorers/services.ts'
import type { Prices } from './suite.ts'
import type { Target, TargetResult } from './target.ts'

/** How one trial ended. An error was not judged; `not-run` was never started, or cut short by an interruption. */
export type CaseStatus = 'passed' | 'failed' | 'error' | 'not-run'

/** One trial of one case. */
export interface CaseResult {
  readonly case: Case
  /** Which run of this case it is, from 0. */
  readonly trial: number
  readonly status: CaseStatus
  /** One for each scorer with something to say about the case; empty unless passed or failed. */
  readonly scores: readonly Score[]
  /** What the target answered; absent when it threw, timed out or was not run. */
  readonly result?: TargetResult
  /** Set when `status` is `error`. */
  readonly error?: NonNullable<TargetResult['error']>
  /** Milliseconds since the epoch; 0 when not run. */
  readonly startedAt: number
  readonly durationMs: number
  /** In US dollars; absent when it is unknown. */
  readonly costUsd?: number
  /** Infrastructure errors before this. Default 0. */
  readonly retries?: number
  /** The answer is an earlier run's, for the same question to the same prompts. */
  readonly isCached?: true
}

/** Answers of earlier runs. Rejects with an `EvalFailure`. */
export interface ResponseCache {
  /** The answer to the same question by the same prompts; `undefined` when there is none. */
  get(testCase: Case, trial: number): Promise<CachedResponse | undefined>
  put(testCase: Case, trial: number, response: CachedResponse): Promise<void>
}

export interface CachedResponse {
  readonly result: TargetResult
  /** What it took when it was asked. */
  readonly latencyMs: number
}

export interface RunPlan {
  readonly cases: readonly Case[]
  readonly scorers: readonly BoundScorer[]
  readonly target: Target
  readonly promptAlias: readonly string[]
  readonly model?: string | undefined
  /** The tenant of a trial is this, a hyphen, the case's id, and with several trials its number: unique to the run. */
  readonly tenantPrefix: string
  readonly concurrency: number
  readonly caseTimeoutMs: number
  /** Ends the run: what is under way is cancelled, what is left is not run. */
  readonly signal: AbortSignal
  /** How often each case is run. Default 1. */
  readonly trials?: number
  /** How often an infrastructure error is tried again, for each trial. Default 0. */
  readonly retries?: number
  readonly prices?: Prices | undefined
  readonly services?: ScorerServices | undefined
  readonly responses?: ResponseCache | undefined
  /** What is known of a trial already, from the same run before it broke off: it is not run again. */
  readonly known?: ((testCase: Case, trial: number) => CaseResult | undefined) | undefined
}

export interface RunnerDeps {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** As `Math.random`: for the pauses before another try. */
  readonly random: () => number
  /** Waits; ends at once when the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
  /** Hears of every trial as it ends, and of those that the plan knew (`isKnown`); the run waits for it. */
  readonly onResult?: ((result: CaseResult, isKnown: boolean) => void | Promise<void>) | undefined
}

/** The usual wait. */
export const sleepFor: RunnerDeps['sleep'] = (ms, signal) => wait(ms, undefined, { signal }).catch(() => {})

/**
 * Runs every case, `concurrency` trials at a time: all cases once, then all of them again, so that a run that breaks off
 * says something of each. After a configuration or infrastructure error no further trial starts: the run has no verdict any
 * more, and cases cost money.
 * @returns One result for each trial, in the order of the cases, the trials of a case together.
 */
export async function runCases(plan: RunPlan, deps: RunnerDeps): Promise<CaseResult[]> {
  const { cases, trials = 1, signal, known, concurrency } = plan
  const results = cases.flatMap((testCase) =>
    Array.from({ length: trials }, (_, trial) => notRun(testCase, trial)),
  )
  let next = 0
  let stopped = false

  async function work(): Promise<void> {
    while (!stopped && !signal.aborted && next < results.length) {
      const turn = next++
      const trial = Math.floor(turn / cases.length)
      const index = turn % cases.length
      const testCase = cases[index] as Case
      const before = known?.(testCase, trial)
      const result = before ?? (await runTrial(testCase, trial, plan, deps))
      results[index * trials + trial] = result
      if (result.error && result.error.kind !== 'target') stopped = true
      await deps.onResult?.(result, before !== undefined)
    }
  }

  await Promise.all(Array.from({ length: Math.min(concurrency, results.length) }, work))
  return results
}
