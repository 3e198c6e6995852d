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
  for (const result of results) {
    const index = place.get(result.case.id) as number
    for (const [metric, value] of valuesOf(result)) {
      metrics[metric] ??= ids.map(() => [])
      metrics[metric][index]?.push(value)
    }
  }
  return { ids, metrics }
}

/** What one trial says, by metric; nothing when it was not run. */
export function valuesOf({ status, scores }: CaseResult): [metric: string, value: number][] {
  if (status === 'not-run') return []
  return [
    ['pass_rate', status === 'passed' ? 1 : 0],
    ['errors', status === 'error' ? 1 : 0],
    ...scores.flatMap(({ name, score }): [string, number][] =>
      score === null ? [] : [[`score.${name}`, score]],
    ),
  ]
}
