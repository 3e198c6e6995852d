import { dirname } from 'node:path'
import type { Lineage } from '@promptkeep/client'
import { type RegistryLog, watchAliases } from './alias-watch.ts'
import { type EvalRegistry, findHolders } from './aliases.ts'
import type { Case } from './dataset.ts'
import { EvalFailure, messageOf } from './errors.ts'
import { finishRun } from './finish-run.ts'
import { type Git, readGitState } from './git.ts'
import { type Journal, type JournalWriter, keyOf, whyAnother } from './journal.ts'
import { createJudge } from './judge.ts'
import { type EvalOptions, type LoadedSuite, loadSuite } from './load-suite.ts'
import { createProgress } from './progress.ts'
import type { EvalReport } from './report.ts'
import { isRemote, openResponses } from './response-cache.ts'
import { askedFor, casesOfReport, checkResumable, goOn, joined, lastRun, openJournal } from './resume-run.ts'
import { baseParams, invalidTag, type RunSetup, runTags } from './run-record.ts'
import { type CaseResult, runCases, sleepFor } from './runner.ts'
import { judgePrompts, needsJudge } from './scorers/define-scorer.ts'
import type { Judge } from './scorers/services.ts'
import { casesOf, type Shard, shardName } from './shard.ts'
import { seededRandom } from './statistics/seeded-random.ts'
import type { Target } from './target.ts'
import type { TrackedRun, Tracking } from './tracking-port.ts'
import { stopReason } from './verdict.ts'

/** How far a run is. */
export interface Progress {
  readonly suite: string
  /** Trials. */
  readonly total: number
  readonly passed: number
  readonly failed: number
  readonly errors: number
  /** In US dollars, so far; absent where it is unknown. */
  readonly costUsd?: number
  /** Milliseconds that are left, by the trials so far; absent before the first. */
  readonly leftMs?: number
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
  /** Of the runner's own randomness (pauses before another try), a whole number from 0; logged. Default: another one each time. */
  readonly seed?: number | undefined
  /** Ends the run early: what was run is logged, marked as interrupted. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Folder in which a run notes each trial as it ends; without it a run that broke off cannot be gone on with. */
  readonly journals?: string | undefined
  /** Folder of answers that are kept for later runs; without it every case is asked. */
  readonly responses?: string | undefined
}

/** How a suite is run this time. */
export interface RunOptions {
  /** Only this part of its cases. */
  readonly shard?: Shard | undefined
  /** Goes on with the suite's last run if that broke off; one that ended is told again. Default false. */
  readonly resume?: boolean
  /**
   * Uses and keeps answers in the folder for them. Default: with one trial a case (more are asked for their differences), of
   * a target whose code is at hand.
   */
  readonly cache?: boolean | undefined
}

/**
 * Runs one suite and logs it as one MLflow run, with the prompts that it used, after it used them.
 * @returns The report, also of a run that came to nothing once it had begun (`verdict: 'invalid'`).
 * @throws {EvalFailure} `CONFIGURATION` or `INFRASTRUCTURE`: it could not begin, or not be logged.
 */
export const runEval = async (
  options: EvalOptions,
  deps: EvalDeps,
  how: RunOptions = {},
): Promise<EvalReport> => runSuite(await loadSuite(options, deps), deps, how)

/** The same for a suite that was loaded before, so that a caller of many can check all before it runs one. */
export async function runSuite(
  loaded: LoadedSuite,
  deps: EvalDeps,
  { shard: given, resume = false, cache }: RunOptions = {},
): Promise<EvalReport> {
  const { suite, dataset, promptAlias } = loaded
  const shard = given && given.of > 1 ? given : undefined
  const judge = openJudge(loaded, deps)
  const last = resume ? await lastRun(loaded, deps, shard) : undefined
  const before = last?.report ? undefined : last
  // Before the run's first moment: what changes from then on is seen.
  const watch = await watchAliases(deps, before?.header.mark)
  const startedAt = before?.header.startedAt ?? deps.now()
  const holders = await findHolders(deps.registry, promptAlias)
  const asked = await askedFor(loaded, deps, holders)
  if (last?.report && whyAnother(last.header.asked, asked).length === 0)
    return { ...last.report, cases: casesOfReport(loaded, shard, last) }
  const rules = { loaded, holders, watch, startedAt }
  if (before) await checkResumable(before, asked, rules, deps)
  await judge?.load(judgePrompts(suite))
  const git = await readGitState(deps.git, dirname(suite.path))
  const seed = deps.seed ?? Math.floor(Math.random() * 2 ** 31)
  const run = await startRun(loaded, deps, { git, seed }, startedAt)
  try {
    const journal = await openJournal(deps, {
      suite: suite.name,
      ...(shard && { shard: shardName(shard) }),
      ...{ asked, startedAt, mark: watch.mark, run: { id: run.id, experimentId: run.experimentId } },
    })
    try {
      const judges = () => joined(before?.judgePrompts, judge?.prompts())
      if (before) await goOn(before, journal, run, deps)
      const cases = shard ? casesOf(shard, dataset.cases) : dataset.cases
      const results = await runTarget(
        {
          loaded,
          cases,
          judge,
          judges,
          known: before?.results,
          journal,
          cache: cache ?? isCachedUnasked(suite),
          seed,
        },
        deps,
      )
      const report = await finishRun(run, { ...rules, cases: results, judgePrompts: judges(), shard }, deps)
      // One that broke off may be gone on with.
      if (stopReason(results, deps.signal) === undefined) await journal?.end(report)
      return report
    } finally {
      await journal?.close()
    }
  } catch (error) {
    await abandon(run, error, deps.now())
    throw error
  }
}

const isCachedUnasked = ({ trials, target }: LoadedSuite['suite']): boolean =>
  trials === 1 && !isRemote(target)

/** @throws {EvalFailure} `CONFIGURATION`: the suite needs a judge, and none is named, or it cannot be asked */
function openJudge({ suite, options }: LoadedSuite, deps: EvalDeps): Judge | undefined {
  if (!needsJudge(suite)) return undefined
  const { judgeModel: model } = options
  if (model === undefined)
    throw new EvalFailure(
      'CONFIGURATION',
      `${suite.name} has a scorer that asks a judge: name its model with --judge-model (judgeModel in code)`,
    )
  return createJudge({ ...deps, model })
}

export const startRun = async (
  loaded: LoadedSuite,
  deps: Pick<EvalDeps, 'tracking' | 'experiment' | 'env'>,
  setup: RunSetup,
  startedAt: number,
): Promise<TrackedRun> => {
  const run = await deps.tracking.startRun({
    experiment: deps.experiment,
    name: loaded.suite.name,
    tags: runTags(loaded, deps.env, setup.git),
    startedAt,
  })
  await run.logParams(baseParams(loaded, setup))
  return run
}

interface TargetRun {
  readonly loaded: LoadedSuite
  readonly cases: readonly Case[]
  readonly judge: Judge | undefined
  readonly judges: () => Readonly<Record<string, Lineage>>
  readonly known: Journal['results'] | undefined
  readonly journal: JournalWriter | undefined
  readonly cache: boolean
  readonly seed: number
}

async function runTarget(run: TargetRun, deps: EvalDeps): Promise<CaseResult[]> {
  const { loaded, cases, judge, judges, known, journal } = run
  const { options, suite, promptAlias } = loaded
  const target = await loaded.target.open({ trackingUri: deps.trackingUri, env: deps.env })
  const progress = createProgress(suite.name, cases.length * suite.trials, deps)
  try {
    return await runCases(
      {
        cases,
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
        services: { judge },
        responses: run.cache ? await openResponses(loaded, deps) : undefined,
        known: (testCase, trial) => known?.get(keyOf(testCase.id, trial)),
      },
      {
        now: deps.now,
        random: seededRandom(run.seed),
        sleep: sleepFor,
        async onResult(result, isKnown) {
          if (!isKnown) await journal?.append(result, judges())
          progress(result, isKnown)
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
export async function abandon(run: TrackedRun, error: unknown, atMs: number): Promise<void> {
  try {
    await run.setTags(invalidTag(messageOf(error)))
    await run.finish('FAILED', atMs)
  } catch (second) {
    if (!(second instanceof EvalFailure)) throw second
  }
}
