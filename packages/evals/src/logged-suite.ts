import { readFacts } from './case-facts.ts'
import type { CheckedSuite } from './check.ts'
import { findRuns } from './eval-run.ts'
import { loggedCases } from './logged-scores.ts'
import type { Tracking } from './tracking-port.ts'
import { TREND_SCAN } from './trend.ts'

/** What is wrong with a suite that is known by its runs alone. */
export interface UnknownSuite {
  readonly problem: string
}

/**
 * A suite as its newest complete run logged it: where its files are not at hand.
 * @throws {EvalFailure} when the tracking server cannot be asked
 */
export async function readLoggedSuite(
  tracking: Pick<Tracking, 'findRuns'>,
  { experiment, suite: name }: { readonly experiment: string; readonly suite: string },
): Promise<CheckedSuite | UnknownSuite> {
  for await (const run of findRuns(tracking, {
    experiment,
    suite: name,
    status: 'FINISHED',
    order: 'ended',
  })) {
    if (!run.isComplete) continue
    const { rules, estimand, datasetDigest: digest } = run
    const ids = loggedCases(run.logged.tags)
    const cases = ids && readFacts(run.logged.tags, ids)
    if (!rules || !estimand || digest === undefined || !cases)
      return {
        problem: `${name}: the run ${run.id} does not say the suite's gates, dataset and cases: an older version or another program logged it; run the suite again`,
      }
    const { hard, deterministic, gates } = rules
    const path = run.logged.tags['mlflow.source.name']
    return {
      suite: { name, hard, estimand, deterministic },
      gates,
      dataset: { digest, cases },
      ...(path === undefined ? {} : { options: { suite: path } }),
    }
  }
  return { problem: `${name}: there is no complete run of this suite in the MLflow experiment ${experiment}` }
}

/** Names of the suites that were run of late. */
export async function listLoggedSuites(
  tracking: Pick<Tracking, 'findRuns'>,
  experiment: string,
): Promise<string[]> {
  const names = new Set<string>()
  let scanned = 0
  for await (const { suite } of findRuns(tracking, { experiment })) {
    if (suite !== undefined) names.add(suite)
    if (++scanned >= TREND_SCAN) break
  }
  return [...names].sort()
}
