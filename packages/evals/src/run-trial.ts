import { hasCode, isAbsence, isOutage } from '@promptkeep/client'
import type { Case } from './dataset.ts'
import { EvalFailure, messageOf } from './errors.ts'
import type { CaseResult, RunnerDeps, RunPlan } from './runner.ts'
import type { Score, ScorerArgs } from './scorers/scorer.ts'
import type { Prices } from './suite.ts'
import type { TargetResult } from './target.ts'

type Problem = NonNullable<TargetResult['error']>

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 10_000

export const notRun = (testCase: Case, trial: number): CaseResult => ({
  case: testCase,
  trial,
  status: 'not-run',
  scores: [],
  startedAt: 0,
  durationMs: 0,
})

/**
 * Runs a case once. What the run depends on and does not answer (an infrastructure error) is tried again after a pause, as
 * often as the plan says; a target's own error is its answer, and a wrong configuration stays wrong.
 */
export async function runTrial(
  testCase: Case,
  trial: number,
  plan: RunPlan,
  deps: RunnerDeps,
): Promise<CaseResult> {
  const { now } = deps
  const startedAt = now()
  const again = retrying(plan, deps)
  const cached = await plan.responses?.get(testCase, trial)
  let askedAt = startedAt
  const answered =
    cached?.result ??
    (await again.until(() => {
      askedAt = now()
      return ask(testCase, trial, plan)
    }))
  if (answered === 'interrupted') return notRun(testCase, trial)
  const latencyMs = cached?.latencyMs ?? now() - askedAt
  const ended = { case: testCase, trial, startedAt, durationMs: now() - startedAt }
  const usage = 'kind' in answered ? undefined : answered.usage
  const costUsd = usage && plan.prices && costOf(usage, plan.prices)
  if (!cached && !('kind' in answered) && !answered.error)
    await plan.responses?.put(testCase, trial, { result: answered, latencyMs })
  const known = () => ({
    ...ended,
    // What was answered before was paid before.
    ...(costUsd === undefined ? {} : { costUsd: cached ? 0 : costUsd }),
    ...(again.count > 0 ? { retries: again.count } : {}),
    ...(cached ? ({ isCached: true } as const) : {}),
  })
  if ('kind' in answered) return { ...known(), status: 'error', scores: [], error: answered }
  if (answered.error)
    return { ...known(), status: 'error', scores: [], result: answered, error: answered.error }
  // A judge that breaks says nothing about the answer: no verdict, rather than a failed case.
  const { output, messages, toolCalls, blocked } = answered
  const args: ScorerArgs = {
    input: testCase.input ?? testCase.turns?.at(-1) ?? '',
    output,
    expected: testCase.expected,
    messages,
    toolCalls,
    usage: answered.usage,
    latencyMs,
    ...(costUsd === undefined ? {} : { costUsd }),
    ...(blocked === undefined ? {} : { blocked }),
  }
  const scores = await again.until(() => judge(testCase, args, plan))
  if (scores === 'interrupted') return notRun(testCase, trial)
  if ('kind' in scores) return { ...known(), status: 'error', scores: [], result: answered, error: scores }
  const passed = scores.every(({ score }) => score === 1)
  return { ...known(), status: passed ? 'passed' : 'failed', scores, result: answered }
}

/** Tries again what ended in an infrastructure error; one count for the whole trial. */
function retrying({ retries = 0, signal }: RunPlan, { sleep, random }: RunnerDeps) {
  let count = 0
  return {
    get count() {
      return count
    },
    async until<T extends object>(work: () => Promise<T | 'interrupted'>): Promise<T | 'interrupted'> {
      for (;;) {
        const ended = await work()
        const problem = problemOf(ended)
        if (problem?.kind !== 'infrastructure' || count >= retries) return ended
        const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** count) * (0.5 + random() / 2)
        count++
        await sleep(pauseMs, signal)
        if (signal.aborted) return 'interrupted'
      }
    },
  }
}

function problemOf(ended: object | 'interrupted'): Problem | undefined {
  if (ended === 'interrupted') return undefined
  if ('kind' in ended) return ended as Problem
  return 'error' in ended ? (ended as TargetResult).error : undefined
}

const costOf = ({ inputTokens, outputTokens }: TargetResult['usage'], { input, output }: Prices): number =>
  (inputTokens * input + outputTokens * output) / 1_000_000

/** The target's answer, its error, or word that the run was interrupted. A target that ignores its signal is left. */
async function ask(
  testCase: Case,
  trial: number,
  plan: RunPlan,
): Promise<TargetResult | Problem | 'interrupted'> {
  const { target, promptAlias, model, tenantPrefix, caseTimeoutMs, trials = 1 } = plan
  if (plan.signal.aborted) return 'interrupted'
  // One signal for both ends; AbortSignal.any would leave something on the run's own for each trial, as long as it lasts.
  const end = new AbortController()
  const giveUp = () => end.abort(plan.signal.reason)
  plan.signal.addEventListener('abort', giveUp, { once: true })
  let isLate = false
  // Not AbortSignal.timeout: its timer would let the process end under a target that holds no handle of its own.
  const timer = setTimeout(() => {
    isLate = true
    end.abort()
  }, caseTimeoutMs)
  const { signal } = end
  const cut = new Promise<'cut'>((resolve) => {
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
  const tenant = `${tenantPrefix}-${id}${trials > 1 ? `-${trial + 1}` : ''}`
  const answer = Promise.resolve()
    .then(() => target.run(asked, { promptAlias, model, tenant, trial, signal }))
    .catch((thrown: unknown): Problem => ({ kind: kindOf(thrown), message: messageOf(thrown) }))
  const first = await Promise.race([answer, cut])
  clearTimeout(timer)
  plan.signal.removeEventListener('abort', giveUp)
  if (plan.signal.aborted) return 'interrupted'
  if (!isLate && first !== 'cut') return first
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
  args: ScorerArgs,
  plan: RunPlan,
): Promise<Score[] | Problem | 'interrupted'> {
  try {
    const asked = plan.scorers.flatMap((scorer) => scorer.forCase(testCase, plan.services) ?? [])
    const scores = await Promise.all(asked.map((score) => score(args)))
    for (const { name, score } of scores) {
      if (score !== null && !(score >= 0 && score <= 1))
        throw new RangeError(`${name} scored ${score}, not 0…1`)
    }
    const said = scores.filter(({ score }) => score !== null)
    if (said.length === 0) throw new Error('none had anything to say about the answer')
    return said
  } catch (thrown) {
    const code = thrown instanceof EvalFailure ? thrown.code : 'INFRASTRUCTURE'
    if (code === 'INTERRUPTED' || plan.signal.aborted) return 'interrupted'
    const kind = code === 'CONFIGURATION' ? 'configuration' : 'infrastructure'
    return { kind, message: `a scorer failed: ${messageOf(thrown)}` }
  }
}
