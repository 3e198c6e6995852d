import { EvalFailure } from './errors.ts'
import { type EvalRun, findRuns } from './eval-run.ts'
import { whyNotUsable } from './evidence.ts'
import { missedBars } from './own-bars.ts'
import { type PromptChange, promptChanges } from './prompt-changes.ts'
import type { Tracking } from './tracking-port.ts'

/** One run in the course of a suite. */
export interface TrendPoint {
  readonly run: EvalRun
  /** Name of the main metric, as the run logged it; absent where it says none. */
  readonly metric?: string
  /** Value of the main metric, 0…1. */
  readonly value?: number
  readonly passRate?: number
  /** Whether it counts: complete, no shard, not marked invalid. Only such runs are in the line. */
  readonly counts: boolean
  /** Why it does not count. */
  readonly problem?: string
  /** By its own thresholds, without a baseline; absent where it does not count, or does not say them. */
  readonly passed?: boolean
  /** `value` less that of the run before it that counts, on the same dataset; absent where there is none. */
  readonly change?: number
  /** Prompts with another version or text than in the run before it that counts. */
  readonly changed: readonly PromptChange[]
  /** Set when another model answered than in the run before it that counts. */
  readonly model?: { readonly from?: string; readonly to?: string }
  /** The dataset, or the metric, is not that of the run before it that counts: their values are not compared. */
  readonly isBreak: boolean
  /** In US dollars. */
  readonly costUsd?: number
}

/** The runs of one suite. */
export interface SuiteTrend {
  readonly suite: string
  /** Newest first, by their start. */
  readonly runs: readonly TrendPoint[]
  /** Whether there may be older ones. */
  readonly hasMore: boolean
}

export interface TrendQuery {
  /** MLflow experiment, by name. */
  readonly experiment: string
  /** By name. Default: all that were run of late. */
  readonly suites?: readonly string[] | undefined
  /** Runs a suite. Default 20. */
  readonly limit?: number | undefined
  /** Only runs that used this prompt. */
  readonly prompt?: string | undefined
  /** Only runs that were asked for one of these aliases: the first one of their chain. */
  readonly aliases?: readonly string[] | undefined
}

/** Where no suite is named, so many runs are looked through for suites. */
export const TREND_SCAN = 1000
/** A run to compare the oldest one with is looked for among so many before it. */
const BEFORE = 50

/**
 * How suites went, run by run. Pages of runs are asked for as they are needed.
 * @returns One for each suite that has runs, in the order of `suites`; else by name.
 * @throws {EvalFailure} when the tracking server cannot be asked
 */
export async function readTrends(
  query: TrendQuery,
  { tracking }: { readonly tracking: Pick<Tracking, 'findRuns'> },
): Promise<SuiteTrend[]> {
  const { experiment, suites = [], limit = 20 } = query
  if (!Number.isInteger(limit) || limit < 1)
    throw new EvalFailure('CONFIGURATION', `a limit is a whole number above 0, not ${limit}`)
  if (suites.length === 0) return allTrends(query, limit, tracking)
  const trends: SuiteTrend[] = []
  for (const suite of new Set(suites)) {
    const found: EvalRun[] = []
    for await (const { logged: _, ...run } of findRuns(tracking, { experiment, suite })) {
      if (isWanted(run, query)) found.push(run)
      if (isEnough(found, limit)) break
    }
    if (found.length > 0) trends.push(trendOf(suite, found, { limit, hasMore: found.length > limit }))
  }
  return trends
}

async function allTrends(
  query: TrendQuery,
  limit: number,
  tracking: Pick<Tracking, 'findRuns'>,
): Promise<SuiteTrend[]> {
  const bySuite = new Map<string, EvalRun[]>()
  let scanned = 0
  for await (const { logged: _, ...run } of findRuns(tracking, { experiment: query.experiment })) {
    if (run.suite !== undefined && isWanted(run, query)) {
      const found = bySuite.get(run.suite) ?? []
      if (!isEnough(found, limit)) found.push(run)
      bySuite.set(run.suite, found)
    }
    if (++scanned >= TREND_SCAN) break
  }
  const isCut = scanned >= TREND_SCAN
  return [...bySuite]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([suite, found]) => trendOf(suite, found, { limit, hasMore: found.length > limit || isCut }))
}

/** As many as are shown, and one before them that the last of those is compared with. */
const isEnough = (found: readonly EvalRun[], limit: number): boolean =>
  found.length > limit &&
  (found.length >= limit + BEFORE || found.slice(limit).some(({ isComplete }) => isComplete))

const isWanted = (run: EvalRun, { prompt, aliases = [] }: TrendQuery): boolean =>
  (prompt === undefined || run.prompts[prompt] !== undefined) &&
  (aliases.length === 0 || aliases.includes(run.aliasChain[0] ?? ''))

function trendOf(
  suite: string,
  runs: readonly EvalRun[],
  { limit, hasMore }: { readonly limit: number; readonly hasMore: boolean },
): SuiteTrend {
  const points: TrendPoint[] = []
  let before: EvalRun | undefined
  for (const run of runs.toReversed()) {
    const point = pointOf(run, before)
    points.push(point)
    if (point.counts) before = run
  }
  return { suite, runs: points.reverse().slice(0, limit), hasMore }
}

function pointOf(run: EvalRun, before: EvalRun | undefined): TrendPoint {
  const problem = whyNotUsable(run)
  const value = mainValue(run)
  const earlier = before === undefined ? undefined : mainValue(before)
  const isBreak =
    before !== undefined &&
    (before.datasetDigest !== run.datasetDigest || before.mainMetric !== run.mainMetric)
  const { pass_rate: passRate, cost_usd: costUsd } = run.metrics
  return {
    run,
    ...(run.mainMetric === undefined ? {} : { metric: run.mainMetric }),
    ...(value === undefined ? {} : { value }),
    ...(passRate === undefined ? {} : { passRate }),
    counts: problem === undefined,
    ...(problem === undefined ? {} : { problem }),
    ...(problem === undefined && run.rules ? { passed: missedBars(run, run.rules).length === 0 } : {}),
    ...(problem !== undefined || isBreak || value === undefined || earlier === undefined
      ? {}
      : { change: value - earlier }),
    changed: before === undefined ? [] : promptChanges(before.prompts, run.prompts),
    ...(before === undefined || before.model === run.model
      ? {}
      : {
          model: {
            ...(before.model === undefined ? {} : { from: before.model }),
            ...(run.model === undefined ? {} : { to: run.model }),
          },
        }),
    isBreak,
    ...(costUsd === undefined ? {} : { costUsd }),
  }
}

const mainValue = ({ mainMetric, metrics }: EvalRun): number | undefined =>
  mainMetric === undefined ? undefined : metrics[mainMetric]
