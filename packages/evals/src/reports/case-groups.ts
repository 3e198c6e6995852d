import type { CaseResult, CaseStatus } from '../runner.ts'
import { rounded } from '../words.ts'

/** All trials of one case. */
export interface CaseGroup {
  readonly id: string
  readonly tags: readonly string[]
  readonly trials: readonly CaseResult[]
  readonly passed: number
  /** The worst that happened: an error before a failure before what was not run. */
  readonly status: CaseStatus
  /** One line for each trial that did not pass, each text once, with how often. */
  readonly why: readonly string[]
}

/** The cases of a run in its order, trials together. */
export function groupCases(results: readonly CaseResult[]): CaseGroup[] {
  const byId = new Map<string, CaseResult[]>()
  for (const result of results) {
    const group = byId.get(result.case.id)
    if (group) group.push(result)
    else byId.set(result.case.id, [result])
  }
  return [...byId].map(([id, trials]) => ({
    id,
    tags: trials[0]?.case.tags ?? [],
    trials,
    passed: trials.filter(({ status }) => status === 'passed').length,
    status: worstOf(trials),
    why: reasonsOf(trials),
  }))
}

const WORST: readonly CaseStatus[] = ['error', 'failed', 'not-run', 'passed']

const worstOf = (trials: readonly CaseResult[]): CaseStatus =>
  WORST.find((status) => trials.some((trial) => trial.status === status)) ?? 'not-run'

function reasonsOf(trials: readonly CaseResult[]): string[] {
  const counts = new Map<string, number>()
  for (const trial of trials) {
    const text = whyOf(trial)
    if (text !== undefined) counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  return [...counts].map(([text, count]) => (count > 1 ? `${text} (${count} times)` : text))
}

/** Why a trial did not pass; `undefined` when it did, or was not run. */
export function whyOf({ status, error, scores }: CaseResult): string | undefined {
  if (error) return `${error.kind} error: ${error.message}`
  if (status !== 'failed') return undefined
  return scores
    .filter(({ score }) => score !== 1)
    .map(({ name, score, reason }) => `${name} ${rounded(score ?? 0)}${reason ? `: ${reason}` : ''}`)
    .join('; ')
}
