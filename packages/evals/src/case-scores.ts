import type { CaseResult } from './runner.ts'

/**
 * What each case scored in each trial: the numbers that two runs are compared by. `pass_rate` is 1 or 0 for each trial (an
 * error is 0), `score.<scorer>` what the scorer gave, `errors` 1 where the trial ended in one.
 */
export interface CaseScores {
  /** In the dataset's order. */
  readonly ids: readonly string[]
  /** By metric, then as `ids`: one value for each trial that has one; empty where the scorer has nothing to say. */
  readonly metrics: Readonly<Record<string, readonly (readonly number[])[]>>
}

/** The scores of a run that is still at hand. Cases that were not run have no values. */
export function scoresOf(results: readonly CaseResult[]): CaseScores {
  const ids = [...new Set(results.map((result) => result.case.id))]
  const place = new Map(ids.map((id, index) => [id, index]))
  const metrics: Record<string, number[][]> = {}
  const add = (metric: string, index: number, value: number) => {
    metrics[metric] ??= ids.map(() => [])
    metrics[metric][index]?.push(value)
  }
  for (const { case: testCase, status, scores } of results) {
    if (status === 'not-run') continue
    const index = place.get(testCase.id) as number
    add('pass_rate', index, status === 'passed' ? 1 : 0)
    add('errors', index, status === 'error' ? 1 : 0)
    for (const { name, score } of scores) if (score !== null) add(`score.${name}`, index, score)
  }
  return { ids, metrics }
}
