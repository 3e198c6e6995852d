import type { Lineage } from '@promptkeep/client'
import type { AliasWatch } from './alias-watch.ts'
import { traceLineage } from './lineage.ts'
import type { LoadedSuite } from './load-suite.ts'
import { logRun } from './log-run.ts'
import { measure } from './metrics.ts'
import type { EvalReport } from './report.ts'
import type { EvalDeps } from './run-eval.ts'
import { judgeModelOf } from './run-record.ts'
import type { CaseResult } from './runner.ts'
import { type Shard, shardName } from './shard.ts'
import type { TrackedRun } from './tracking-port.ts'
import { judgeRun, notesOf, stopReason } from './verdict.ts'

/** A run whose cases are over. */
export interface EndedRun {
  readonly loaded: LoadedSuite
  readonly cases: readonly CaseResult[]
  /** Prompts that had the first alias of the chain before the run. */
  readonly holders: ReadonlyMap<string, number>
  readonly watch: AliasWatch
  readonly judgePrompts: Readonly<Record<string, Lineage>>
  readonly shard?: Shard | undefined
  /** Milliseconds since the epoch. */
  readonly startedAt: number
}

/**
 * Judges a run and logs it: which prompts it used, whether it may say so, and whether it passed.
 * @throws {EvalFailure} The registry cannot be asked, or the run not be logged.
 */
export async function finishRun(
  run: TrackedRun,
  ended: EndedRun,
  { registry, now, signal, experiment }: Pick<EvalDeps, 'registry' | 'now' | 'signal' | 'experiment'>,
): Promise<EvalReport> {
  const { loaded, cases, holders, watch, judgePrompts, startedAt } = ended
  const { options, suite, dataset, promptAlias } = loaded
  const shard = ended.shard && shardName(ended.shard)
  // Before the last look at the aliases: until the run's end none of them changed.
  const endedAt = now()
  const stopped = stopReason(cases, signal)
  const complete = stopped === undefined
  const lineage = await traceLineage(cases, {
    ...{ promptAlias, holders, startedAt, registry, watch, judgePrompts, complete },
  })
  const metrics = measure(cases)
  const models = [...new Set(cases.flatMap(({ result }) => result?.model ?? []))].sort()
  const judgement = judgeRun({ loaded, cases, lineage, metrics, models, stopped })
  const isPart = shard !== undefined && judgement.verdict !== 'invalid'
  const judged = isPart ? { verdict: 'shard' as const, reasons: [] } : judgement
  const model = models.length > 0 ? models.join(',') : options.model
  const durationMs = endedAt - startedAt
  const agreement = judgeAgreement(cases)
  const all = {
    ...metrics,
    duration_ms: durationMs,
    ...(agreement === undefined ? {} : { judge_agreement: agreement }),
  }
  const status = stopped?.status ?? 'FINISHED'
  await logRun(run, { loaded, cases, lineage, metrics: all, model, ...judged, shard, status, endedAt })
  return {
    suite: suite.name,
    ...judged,
    notes: notesOf(loaded, lineage, judged.verdict, cases),
    gates: loaded.gates,
    hard: suite.hard,
    estimand: suite.estimand,
    trials: suite.trials,
    metrics: all,
    dataset: { name: dataset.name, digest: dataset.digest },
    promptAlias,
    prompts: lineage.prompts,
    candidates: lineage.candidates,
    fingerprint: lineage.fingerprint,
    model,
    judgeModel: judgeModelOf(loaded),
    run: { id: run.id, experimentId: run.experimentId, experiment },
    cases,
    durationMs,
    ...(shard === undefined ? {} : { shard }),
  }
}

/** How far the judge's draws agreed, on the whole; `undefined` when none was asked. */
function judgeAgreement(cases: readonly CaseResult[]): number | undefined {
  const said = cases.flatMap(({ scores }) =>
    scores.flatMap(({ metadata }) => (typeof metadata?.agreement === 'number' ? metadata.agreement : [])),
  )
  return said.length === 0 ? undefined : said.reduce((sum, one) => sum + one, 0) / said.length
}
