import { factTags } from './case-facts.ts'
import { CASE_TABLE, caseTable, tableTag } from './case-table.ts'
import type { RunLineage } from './lineage.ts'
import type { LoadedSuite } from './load-suite.ts'
import { casePoints, caseTags } from './logged-scores.ts'
import type { Metrics } from './metrics.ts'
import type { Verdict } from './report.ts'
import { invalidTag, lineageParams, linkedPrompts } from './run-record.ts'
import type { CaseResult } from './runner.ts'
import type { RunStatus, TrackedRun } from './tracking-port.ts'

/** A run that is over, as it is to be logged. */
export interface RunOutcome {
  readonly loaded: Pick<LoadedSuite, 'dataset'>
  readonly cases: readonly CaseResult[]
  readonly lineage: RunLineage
  readonly metrics: Metrics
  /** Those that answered, or the one that was asked for. */
  readonly model?: string | undefined
  readonly verdict: Verdict
  readonly reasons: readonly string[]
  /** `i/n` of a part, which is no evidence by itself. */
  readonly shard?: string | undefined
  readonly status: RunStatus
  /** When the last case was over, in milliseconds since the epoch. */
  readonly endedAt: number
}

/**
 * Logs what came of a run, and ends it. The mark of one that is no evidence comes first, so that a log which breaks off
 * cannot be taken for it; the params come before the end, because what is logged later voids a verdict.
 * @throws {EvalFailure} It cannot be logged.
 */
export async function logRun(run: TrackedRun, outcome: RunOutcome): Promise<void> {
  const { loaded, cases, lineage, metrics, model, verdict, reasons, shard, status, endedAt } = outcome
  const ids = loaded.dataset.cases.map(({ id }) => id)
  const why = [
    // A run that no candidate reached is no evidence about one, and its gate was not judged.
    ...(verdict === 'invalid' || verdict === 'not-concerned' ? reasons : []),
    ...(shard === undefined ? [] : [`this is shard ${shard}: merged with the others it is a run`]),
  ]
  await run.setTags({
    ...(why.length > 0 ? invalidTag(why.join('; ')) : {}),
    ...(shard === undefined ? {} : { 'promptkeep.shard': shard }),
    'mlflow.linkedPrompts': linkedPrompts(lineage),
    ...caseTags(ids),
    ...factTags(loaded.dataset.cases),
  })
  await run.logParams(lineageParams(lineage, model))
  // First what is about the whole run: MLflow's UI shows metrics in the order in which they came.
  await run.logMetrics(metrics, endedAt)
  await run.logPoints(casePoints(cases, ids, endedAt))
  if (await run.logArtifact(CASE_TABLE, caseTable(cases))) await run.setTags(tableTag())
  await run.finish(status, endedAt)
}
