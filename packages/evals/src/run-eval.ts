import { dirname } from 'node:path'
import { type RegistryLog, watchAliases } from './alias-watch.ts'
import { type EvalRegistry, findHolders } from './aliases.ts'
import { EvalFailure, messageOf } from './errors.ts'
import { type Git, readGitState } from './git.ts'
import { traceLineage } from './lineage.ts'
import { type EvalOptions, type LoadedSuite, loadSuite } from './load-suite.ts'
import { logRun } from './log-run.ts'
import { measure } from './metrics.ts'
import type { EvalReport } from './report.ts'
import { baseParams, invalidTag, runTags } from './run-record.ts'
import { type CaseResult, runCases, sleepFor } from './runner.ts'
import type { Target } from './target.ts'
import type { TrackedRun, Tracking } from './tracking-port.ts'
import { judgeRun, notesOf, stopReason } from './verdict.ts'

/** How far a run is. */
export interface Progress {
  readonly suite: string
  /** Trials. */
  readonly total: number
  readonly passed: number
  readonly failed: number
  readonly errors: number
}

/** The world of an eval run; `createEvalDeps` makes the usual one. */
export interface EvalDeps {
  readonly registry: EvalRegistry
  /**
   * The registry's changes: what an alias said all through a run is read there. Without it only what aliases say before
   * and after a run is compared.
   */
  readonly log?: RegistryLog | undefined
  readonly tracking: Tracking
  /** The address that both speak to; a target that is made for the run is told. */
  readonly trackingUri: string
  /** MLflow experiment that runs go to. */
  readonly experiment: string
  readonly fetch: typeof globalThis.fetch
  readonly env: Readonly<Record<string, string | undefined>>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Unique to this run: part of the names of its tenants. */
  readonly newId: () => string
  readonly git: Git
  /** Ends the run early: what was run is logged, marked as interrupted. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/**
 * Runs one suite and logs it as one MLflow run, with the prompts that it used, after it used them.
 * @returns The report, also of a run that came to nothing once it had begun (`verdict: 'invalid'`).
 * @throws {EvalFailure} `CONFIGURATION` or `INFRASTRUCTURE`: it could not begin, or not be logged.
 */
export const runEval = async (options: EvalOptions, deps: EvalDeps): Promise<EvalReport> =>
  runSuite(await loadSuite(options, deps), deps)

/** The same for a suite that was loaded before, so that a caller of many can check all before it runs one. */
export async function runSuite(loaded: LoadedSuite, deps: EvalDeps): Promise<EvalReport> {
  const { options, suite, dataset, promptAlias } = loaded
  // Before the run's first moment: what changes from then on is seen.
  const watch = await watchAliases(deps)
  const startedAt = deps.now()
  const holders = await findHolders(deps.registry, promptAlias)
  const git = await readGitState(deps.git, dirname(suite.path))
  const run = await deps.tracking.startRun({
    experiment: deps.experiment,
    name: suite.name,
    tags: runTags(loaded, deps.env, git),
    startedAt,
  })
  try {
    await run.logParams(baseParams(loaded, { git }))
    const cases = await runTarget(loaded, deps)
    // Before the last look at the aliases: until the run's end none of them changed.
    const endedAt = deps.now()
    const stopped = stopReason(cases, deps.signal)
    const { registry } = deps
    const rules = { promptAlias, holders, startedAt, registry, watch, complete: stopped === undefined }
    const lineage = await traceLineage(cases, rules)
    const metrics = measure(cases)
    const models = [...new Set(cases.flatMap(({ result }) => result?.model ?? []))].sort()
    const judged = judgeRun({ loaded, cases, lineage, metrics, models, stopped })
    const model = models.length > 0 ? models.join(',') : options.model
    const status = stopped?.status ?? 'FINISHED'
    await logRun(run, { loaded, cases, lineage, metrics, model, ...judged, status, startedAt, endedAt })
    return {
      suite: suite.name,
      ...judged,
      notes: notesOf(loaded, lineage, judged.verdict),
      gates: loaded.gates,
      hard: suite.hard,
      metrics,
      dataset: { name: dataset.name, digest: dataset.digest },
      promptAlias,
      prompts: lineage.prompts,
      candidates: lineage.candidates,
      fingerprint: lineage.fingerprint,
      model,
      judgeModel: options.judgeModel,
      run: { id: run.id, experimentId: run.experimentId, experiment: deps.experiment },
      cases,
      durationMs: endedAt - startedAt,
    }
  } catch (error) {
    await abandon(run, error, deps.now())
    throw error
  }
}

async function runTarget(loaded: LoadedSuite, deps: EvalDeps): Promise<CaseResult[]> {
  const { options, suite, dataset, promptAlias } = loaded
  const target = await loaded.target.open({ trackingUri: deps.trackingUri, env: deps.env })
  const counts = { passed: 0, failed: 0, errors: 0 }
  const progress = () =>
    deps.onProgress?.({ suite: suite.name, total: dataset.cases.length * suite.trials, ...counts })
  progress()
  try {
    return await runCases(
      {
        cases: dataset.cases,
        scorers: suite.scorers,
        target,
        promptAlias,
        model: options.model,
        tenantPrefix: `eval-${deps.newId()}`,
        concurrency: suite.concurrency,
        caseTimeoutMs: suite.caseTimeoutMs,
        signal: deps.signal ?? new AbortController().signal,
        trials: suite.trials,
        retries: suite.retries,
        prices: suite.prices,
      },
      {
        now: deps.now,
        random: Math.random,
        sleep: sleepFor,
        onResult({ status }) {
          if (status === 'passed') counts.passed++
          else if (status === 'failed') counts.failed++
          else if (status === 'error') counts.errors++
          progress()
        },
      },
    )
  } finally {
    await close(target)
  }
}

/** What a target could not put away may be in the way of the next run. */
async function close(target: Target): Promise<void> {
  try {
    await target.close?.()
  } catch (error) {
    const message = `the target could not be closed: ${messageOf(error)}`
    throw new EvalFailure('INFRASTRUCTURE', message, { cause: error })
  }
}

/** Leaves a run that broke off marked as such, where the server still takes it. */
async function abandon(run: TrackedRun, error: unknown, atMs: number): Promise<void> {
  try {
    await run.setTags(invalidTag(messageOf(error)))
    await run.finish('FAILED', atMs)
  } catch (second) {
    if (!(second instanceof EvalFailure)) throw second
  }
}
