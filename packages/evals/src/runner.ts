import { hasCode, isAbsence, isOutage } from '@promptkeep/client'
import type { Case } from './dataset.ts'
import { messageOf } from './errors.ts'
import type { BoundScorer } from './scorers/define-scorer.ts'
import type { Score } from './scorers/scorer.ts'
import type { Target, TargetResult } from './target.ts'

type Problem = NonNullable<TargetResult['error']>

/** How one case ended. An error was not judged; `not-run` was never started, or cut short by an interruption. */
export type CaseStatus = 'passed' | 'failed' | 'error' | 'not-run'

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
  readonly error?: Problem
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

export interface RunPlan {
  readonly cases: readonly Case[]
  readonly scorers: readonly BoundScorer[]
  readonly target: Target
  readonly promptAlias: readonly string[]
  readonly model?: string | undefined
  /** The tenant of a case is this, a hyphen, and its id: unique to the run. */
  readonly tenantPrefix: string
  readonly concurrency: number
  readonly caseTimeoutMs: number
  /** Ends the run: what is under way is cancelled, what is left is not run. */
  readonly signal: AbortSignal
}

export interface RunnerDeps {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Hears of every case as it ends. */
  readonly onResult?: ((result: CaseResult) => void) | undefined
}

/**
 * Runs every case once, `concurrency` at a time. After a configuration or infrastructure error no further case
 * starts: the run has no verdict any more, and cases cost money.
 * @returns One result for each case, in the order of the cases.
 */
export async function runCases(plan: RunPlan, { now, onResult }: RunnerDeps): Promise<CaseResult[]> {
  const results = plan.cases.map((testCase): CaseResult => notRun(testCase))
  let next = 0
  let stopped = false

  async function work(): Promise<void> {
    while (!stopped && !plan.signal.aborted && next < plan.cases.length) {
      const index = next++
      const testCase = plan.cases[index] as Case
      const result = await runCase(testCase, plan, now)
      results[index] = result
      if (result.error && result.error.kind !== 'target') stopped = true
      onResult?.(result)
    }
  }

  await Promise.all(Array.from({ length: Math.min(plan.concurrency, plan.cases.length) }, work))
  return results
}

const notRun = (testCase: Case): CaseResult => ({
  case: testCase,
  trial: 0,
  status: 'not-run',
  scores: [],
  startedAt: 0,
  durationMs: 0,
})

async function runCase(testCase: Case, plan: RunPlan, now: () => number): Promise<CaseResult> {
  const startedAt = now()
  const answered = await ask(testCase, plan)
  const ended = { case: testCase, trial: 0, startedAt, durationMs: now() - startedAt }
  if (answered === 'interrupted') return notRun(testCase)
  if ('kind' in answered) return { ...ended, status: 'error', scores: [], error: answered }
  if (answered.error)
    return { ...ended, status: 'error', scores: [], result: answered, error: answered.error }
  try {
    const scores = await judge(testCase, answered, plan.scorers, ended.durationMs)
    const passed = scores.every(({ score }) => score === 1)
    return { ...ended, status: passed ? 'passed' : 'failed', scores, result: answered }
  } catch (thrown) {
    // A judge that breaks says nothing about the answer: no verdict, rather than a failed case.
    const error = { kind: 'infrastructure', message: `a scorer failed: ${messageOf(thrown)}` } as const
    return { ...ended, status: 'error', scores: [], result: answered, error }
  }
}

/** The target's answer, its error, or word that the run was interrupted. A target that ignores its signal is left. */
async function ask(testCase: Case, plan: RunPlan): Promise<TargetResult | Problem | 'interrupted'> {
  const { target, promptAlias, model, tenantPrefix, caseTimeoutMs } = plan
  const deadline = new AbortController()
  // Not AbortSignal.timeout: its timer would let the process end under a target that holds no handle of its own.
  const timer = setTimeout(() => deadline.abort(), caseTimeoutMs)
  const signal = AbortSignal.any([plan.signal, deadline.signal])
  const cut = new Promise<'cut'>((resolve) => {
    if (signal.aborted) resolve('cut')
    signal.addEventListener('abort', () => resolve('cut'), { once: true })
  })
  const { id, input, turns, context, seed } = testCase
  const asked: Case = {
    id,
    ...(input === undefined ? {} : { input }),
    ...(turns === undefined ? {} : { turns }),
    ...(context === undefined ? {} : { context }),
    ...(seed === undefined ? {} : { seed }),
  }
  const answer = Promise.resolve()
    .then(() => target.run(asked, { promptAlias, model, tenant: `${tenantPrefix}-${id}`, signal }))
    .catch((thrown: unknown): Problem => ({ kind: kindOf(thrown), message: messageOf(thrown) }))
  const first = await Promise.race([answer, cut]).finally(() => clearTimeout(timer))
  if (plan.signal.aborted) return 'interrupted'
  if (!deadline.signal.aborted && first !== 'cut') return first
  return { kind: 'target', message: `no answer within ${caseTimeoutMs / 1000} s` }
}

/** What a target throws, by whose fault it is: the registry's, the caller's, or its own. */
function kindOf(thrown: unknown): Problem['kind'] {
  if (isOutage(thrown)) return 'infrastructure'
  if (isAbsence(thrown) || hasCode(thrown, 'FORBIDDEN', 'UNAUTHENTICATED')) return 'configuration'
  return 'target'
}

async function judge(
  testCase: Case,
  result: TargetResult,
  scorers: readonly BoundScorer[],
  latencyMs: number,
): Promise<Score[]> {
  const asked = scorers.flatMap((scorer) => scorer.forCase(testCase) ?? [])
  const { output, messages, toolCalls, usage, blocked } = result
  const input = testCase.input ?? testCase.turns?.at(-1) ?? ''
  const args = { input, output, expected: testCase.expected, messages, toolCalls, usage, blocked, latencyMs }
  const scores = await Promise.all(asked.map((score) => score(args)))
  for (const { name, score } of scores) {
    if (score !== null && !(score >= 0 && score <= 1))
      throw new RangeError(`${name} scored ${score}, not 0…1`)
  }
  const said = scores.filter(({ score }) => score !== null)
  if (said.length === 0) throw new Error('none had anything to say about the answer')
  return said
}
