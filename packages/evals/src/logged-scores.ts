import { type CaseScores, valuesOf } from './case-scores.ts'
import { EvalFailure } from './errors.ts'
import type { CaseResult } from './runner.ts'
import type { LoggedRun, MetricPoint, Tracking } from './tracking-port.ts'

/*
 * How a run's scores by case are logged, so that two runs can be paired on any MLflow, without artifacts: the ids as tags,
 * and for each metric a history with the case's place in the dataset as its step.
 */

const TRIAL = 'trial.'
const CASES = 'promptkeep.cases.'
/** MLflow cuts a tag at 8,000 characters. */
const IDS_PER_TAG = 7_500

/** Whether a metric is a history by case, and no number about the run. */
export const isByCase = (metric: string): boolean => metric.startsWith(TRIAL)

/** The ids of a dataset's cases in its order, as many to a tag as it holds. */
export function caseTags(ids: readonly string[]): Record<string, string> {
  const tags: string[] = []
  for (const id of ids) {
    const last = tags.at(-1)
    if (last !== undefined && last.length + 1 + id.length <= IDS_PER_TAG)
      tags[tags.length - 1] = `${last},${id}`
    else tags.push(id)
  }
  return Object.fromEntries(tags.map((value, index) => [`${CASES}${index}`, value]))
}

/**
 * What every trial scored: step is the case's place in `ids`, time the run's end plus the number of the trial.
 * @param endedAt - Milliseconds since the epoch.
 */
export function casePoints(
  results: readonly CaseResult[],
  ids: readonly string[],
  endedAt: number,
): MetricPoint[] {
  const place = new Map(ids.map((id, index) => [id, index]))
  return results.flatMap((result) => {
    const step = place.get(result.case.id)
    if (step === undefined) return []
    const timestamp = endedAt + result.trial
    return valuesOf(result).map(([metric, value]) => ({ key: `${TRIAL}${metric}`, value, step, timestamp }))
  })
}

/** The ids that a run says; `undefined` when it says none. */
export function loggedCases(tags: LoggedRun['tags']): readonly string[] | undefined {
  const ids: string[] = []
  for (let index = 0; ; index++) {
    const part = tags[`${CASES}${index}`]
    if (part === undefined) return index === 0 ? undefined : ids
    ids.push(...part.split(','))
  }
}

/**
 * What a logged run scored by case.
 * @throws {EvalFailure} `CONFIGURATION`: it says nothing by case. `INFRASTRUCTURE`: the server cannot be asked.
 */
export async function readScores(
  tracking: Pick<Tracking, 'metricHistory'>,
  run: LoggedRun,
): Promise<CaseScores> {
  const ids = loggedCases(run.tags)
  const keys = Object.keys(run.metrics).filter(isByCase)
  if (ids === undefined || keys.length === 0)
    throw new EvalFailure(
      'CONFIGURATION',
      `the run ${run.id} does not say what each case scored: an older version or another program logged it; run its suite again`,
    )
  const metrics: Record<string, number[][]> = {}
  for (const key of keys) {
    const values: number[][] = ids.map(() => [])
    for (const { step, value } of await tracking.metricHistory(run.id, key)) {
      const ofCase = values[step]
      if (ofCase === undefined || !Number.isFinite(value))
        throw new EvalFailure(
          'CONFIGURATION',
          `the run ${run.id} is not readable: ${key} has ${value} for case number ${step}, of ${ids.length} cases`,
        )
      ofCase.push(value)
    }
    metrics[key.slice(TRIAL.length)] = values
  }
  return { ids, metrics }
}
