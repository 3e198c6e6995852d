import { EvalFailure } from './errors.ts'
import { SOURCE_TAG } from './live-metric.ts'
import type { ArmSummary } from './statistics/guard-test.ts'
import type { LoggedRun, MetricPoint, Tracking } from './tracking-port.ts'

/** What was observed of one version, by the process that saw it, in the order in which that saw it. */
export type Observations = ReadonlyMap<string, readonly number[]>

export interface ObservationsQuery {
  /** The prompt. */
  readonly name: string
  readonly metric: string
  /** MLflow experiment. */
  readonly experiment: string
  readonly tracking: Pick<Tracking, 'findRuns' | 'metricHistory'>
}

/** Milliseconds since the epoch. */
export interface Period {
  readonly since: number
  readonly until: number
}

/** Runs that ended say nothing more: each is read once. */
export function readObservations({
  name,
  metric,
  experiment,
  tracking,
}: ObservationsQuery): (
  of: { readonly version: number; readonly digest: string },
  period: Period,
) => Promise<Observations> {
  const ended = new Map<string, readonly MetricPoint[]>()

  async function pointsOf(run: LoggedRun): Promise<readonly MetricPoint[]> {
    const known = ended.get(run.id)
    if (known) return known
    const points = await tracking.metricHistory(run.id, metric)
    if (run.endedAt !== undefined) ended.set(run.id, points)
    return points
  }

  return async ({ version, digest }, { since, until }) => {
    const filter = [
      `params.\`prompt_digest.${name}\` = '${digest}'`,
      `params.\`prompt.${name}\` = 'v${version}'`,
    ].join(' and ')
    const found = new Map<string, Observed[]>()
    let pageToken: string | undefined
    do {
      const page = await tracking.findRuns({ experiment, filter, pageToken })
      for (const run of page.runs) {
        if (run.metrics[metric] === undefined) continue
        // Runs of another program do not say whose they are: together they are one process.
        const source = run.tags[SOURCE_TAG] ?? ''
        const points = found.get(source) ?? []
        found.set(source, points)
        for (const point of await pointsOf(run)) {
          if (!(point.value >= 0 && point.value <= 1))
            throw new EvalFailure(
              'CONFIGURATION',
              `the run ${run.id} has ${point.value} for ${metric}: an observation is from 0 to 1`,
            )
          if (point.timestamp >= since && point.timestamp <= until) points.push({ ...point, run: run.id })
        }
      }
      pageToken = page.nextPageToken
    } while (pageToken !== undefined)
    return new Map(
      [...found].map(([source, points]) => [
        source,
        points.sort(source === '' ? byTime : byStep).map(({ value }) => value),
      ]),
    )
  }
}

type Observed = MetricPoint & { readonly run: string }

/** One process has one run for a version, whose steps count up also when its clock is put back. */
const byStep = (a: Observed, b: Observed): number =>
  a.run === b.run ? a.step - b.step : a.run < b.run ? -1 : 1
const byTime = (a: Observed, b: Observed): number => a.timestamp - b.timestamp || byStep(a, b)

export function summaryOf(observations: Observations): ArmSummary {
  const all = [...observations.values()].flat()
  return {
    count: all.length,
    mean: all.length === 0 ? 0 : all.reduce((sum, value) => sum + value, 0) / all.length,
  }
}
