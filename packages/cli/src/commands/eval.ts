import { randomUUID } from 'node:crypto'
import { join, relative, resolve } from 'node:path'
import { refuse } from '@promptkeep/client/protocol'
import {
  concludeEvals,
  createEvalDeps,
  type EvalDeps,
  EvalFailure,
  type EvalOptions,
  type EvalReport,
  findSuiteFiles,
  type LoadedSuite,
  loadSuite,
  mergeShards,
  needsJudge,
  parseShard,
  runSuite,
  type Shard,
} from '@promptkeep/evals'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import {
  asJson,
  type Outcome,
  reportsOf,
  sayChecked,
  sayOutcome,
  showProgress,
  summaryOf,
} from '../eval-output.ts'
import { findJournals } from '../find-journals.ts'
import type { ExitCode, Io } from '../io.ts'
import {
  openAdmin,
  printJson,
  type RegistryFlags,
  registryCommand,
  wholeNumber,
  withRegistry,
} from '../registry-command.ts'
import { createStyle, printable } from '../style.ts'
import { writeReports } from '../write-reports.ts'

interface Flags extends RegistryFlags {
  readonly all?: true
  readonly dataset?: string
  readonly model?: string
  readonly judgeModel?: string
  readonly passThreshold?: number
  readonly promptAlias: string
  readonly trials?: number
  readonly concurrency?: number
  readonly retries?: number
  readonly timeout?: number
  readonly cache?: boolean
  readonly resume?: true
  readonly shard?: Shard
  readonly merge?: readonly string[]
  readonly experiment?: string
  readonly junit?: string
  readonly markdown?: string
  readonly html?: string
  readonly verbose?: true
  readonly dryRun?: true
}

/** The folder of suites that are run when none is named. */
const SUITES = 'evals'
/** Where a project's own data lie: what runs know so far, and answers that are kept. */
const OWN_FOLDER = '.promptkeep'

export const evalCommand = (io: Io): Command =>
  registryCommand(
    'eval',
    'Run eval suites, and log which prompt versions they judged',
    'eval',
    'eval evals/tone.yaml --prompt-alias experiment',
    'eval evals/tone.yaml --trials 8 --junit results.xml',
    'eval --all --shard 1/3',
  )
    .argument('[suite...]', 'files of suites, or folders of them (default: ./evals)')
    .option('--all', `run every suite of ./${SUITES}, as without a name`)
    .option('--dataset <file>', 'run the suites on this dataset instead of their own')
    .option('--model <name>', "use this model for the target (default: the target's own)")
    .option('--judge-model <name>', 'ask this model where a suite has a judge')
    .option('--pass-threshold <rate>', "pass at this rate, 0 to 1, instead of the suites' own", rate)
    .option(
      '--prompt-alias <alias>',
      'judge this alias or chain; experiment is experiment,production',
      'production',
    )
    .option('--trials <n>', 'run every case this often', wholeNumber('--trials', 1, 100))
    .option('--concurrency <n>', 'run this many trials at once', wholeNumber('--concurrency', 1, 64))
    .option('--retries <n>', 'ask again after an outage, this often', wholeNumber('--retries', 0, 10))
    .option('--timeout <seconds>', 'let a trial take this long', seconds)
    .option(
      '--cache',
      'use answers of the last day to the same prompts (default: one trial, and a target in a file)',
    )
    .option('--no-cache', 'ask everything anew')
    .option('--resume', 'run only what is left of a run that broke off')
    .option('--shard <i/n>', "run this part of the suites' cases; merge the parts for a verdict", part)
    .option('--merge <path...>', 'make one run of shards: their journals, or folders of them')
    .option(
      '--experiment <name>',
      'keep the runs in this MLflow experiment (default: MLFLOW_EXPERIMENT_NAME)',
    )
    .option('--junit <file>', 'write the results as JUnit XML')
    .option('--markdown <file>', 'write a summary fit for a pull request')
    .option('--html <file>', 'write a report with charts and every case, in one file')
    .option('--verbose', 'show every case with its answer')
    .option('--dry-run', 'check suites, datasets and targets, and run nothing')
    .addHelpText(
      'after',
      '\nExit codes: 0 passed, 1 a gate failed, 2 no verdict (configuration, an outage, a fallback).\n' +
        'A shard that ran whole is 0, and has no verdict until it is merged.',
    )
    .action(async (named: string[], flags: Flags) => {
      checkFlags(named, flags)
      const paths = await findSuiteFiles(named.length > 0 ? named : [SUITES], io.cwd)
      const suites = await loadAll(paths, optionsOf(flags, io.cwd))
      if (flags.dryRun) return sayChecked(io, flags, suites)
      checkJudges(suites, flags)
      const shards = flags.merge && (await findJournals(flags.merge, io.cwd))
      const stop = new AbortController()
      const outcomes = await withRegistry(io, flags, (registry) => {
        void io.untilStopped().then(() => stop.abort())
        const deps = openDeps(io, flags, { registry, signal: stop.signal })
        const { shard, cache, resume } = flags
        const run = (suite: LoadedSuite) =>
          shards
            ? mergeShards(suite, shards, deps)
            : runSuite(suite, deps, { shard, cache, resume: resume === true })
        const { signal } = stop
        return runAll({ suites, run, onOutcome: (outcome) => sayOutcome(io, flags, outcome), signal })
      })
      await writeReports(io, flags, { reports: reportsOf(outcomes) })
      say(io, flags, outcomes, suites.length)
      if (outcomes.some(isBroken)) io.err.write('Go on with what is left: the same command with --resume\n')
    })

function openDeps(
  io: Io,
  flags: Flags,
  rest: Pick<EvalDeps, 'registry'> & { readonly signal: AbortSignal },
): EvalDeps {
  const deps = createEvalDeps({
    ...rest,
    log: openAdmin(io, flags),
    trackingUri: flags.trackingUri,
    env: io.env,
    now: io.now,
    newId: () => randomUUID().slice(0, 8),
    git: io.git,
    onProgress: (progress) => showProgress(io, progress),
  })
  return {
    ...deps,
    experiment: flags.experiment ?? deps.experiment,
    journals: join(io.cwd, OWN_FOLDER, 'evals'),
    responses: join(io.cwd, OWN_FOLDER, 'responses'),
  }
}

/** What all suites came to together, and the exit code. */
function say(io: Io, flags: Flags, outcomes: readonly Outcome[], wanted: number): void {
  const { code, reasons } = conclude(outcomes, wanted)
  if (outcomes.some((one) => 'error' in one && one.error.code === 'INFRASTRUCTURE')) io.err.write(START_HINT)
  if (flags.json) printJson(io, { exitCode: code, reasons, suites: outcomes.map(asJson) })
  else if (wanted > 1) io.out.write(`${summaryOf(outcomes, wanted)}\n`)
  // A lone suite that no candidate reached has said so.
  if (wanted > 1 || !isNotConcerned(outcomes[0]))
    for (const reason of reasons)
      io.err.write(`${createStyle(io.err, io.env).red('error:')} ${printable(reason)}\n`)
  io.setExitCode(code)
}

const START_HINT =
  'Start a registry with: promptkeep serve   or name one with --tracking-uri or MLFLOW_TRACKING_URI.\n'

function rate(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    refuse('--pass-threshold', text, 'a number from 0 to 1')
  return value
}

function part(text: string): Shard {
  try {
    return parseShard(text)
  } catch {
    return refuse('--shard', text, 'i/n with 1 ≤ i ≤ n ≤ 1000, such as 2/5')
  }
}

function seconds(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value > 0 && value <= 3600))
    refuse('--timeout', text, 'a number of seconds above 0, and 3600 at most')
  return value
}

/** Flags that cannot both be meant. */
function checkFlags(named: readonly string[], flags: Flags): void {
  const { all, merge, shard, resume, dryRun } = flags
  if (all && named.length > 0)
    throw new CliError(`--all runs every suite of ./${SUITES}: name suites, or give --all`)
  if (!merge) return
  for (const [flag, given] of Object.entries({ '--shard': shard, '--resume': resume, '--dry-run': dryRun }))
    if (given) throw new CliError(`--merge runs no case: it cannot be given with ${flag}`)
}

/** Said before the first suite runs: the last one may be the one that asks a judge. */
function checkJudges(suites: readonly LoadedSuite[], { judgeModel, merge }: Flags): void {
  const judged = suites.filter(({ suite }) => needsJudge(suite)).map(({ suite }) => suite.name)
  if (judged.length === 0 || judgeModel !== undefined || merge) return
  const ask = judged.length === 1 ? 'has a scorer that asks' : 'have scorers that ask'
  throw new CliError(`${judged.join(', ')} ${ask} a judge: name its model with --judge-model`, {
    hint: 'Nothing was run. docs/scorers.md says what a judge needs.',
  })
}

const optionsOf = (flags: Flags, cwd: string): Omit<EvalOptions, 'suite'> => ({
  dataset: flags.dataset === undefined ? undefined : resolve(cwd, flags.dataset),
  model: flags.model,
  judgeModel: flags.judgeModel,
  passThreshold: flags.passThreshold,
  promptAlias: flags.promptAlias,
  trials: flags.trials,
  concurrency: flags.concurrency,
  retries: flags.retries,
  timeoutSeconds: flags.timeout,
})

/** All of them are checked before the first one runs: a slip in the last should not show after an hour. */
async function loadAll(
  paths: readonly string[],
  options: Omit<EvalOptions, 'suite'>,
): Promise<LoadedSuite[]> {
  const loaded: LoadedSuite[] = []
  const problems: string[] = []
  for (const path of paths) {
    try {
      // Short in messages and in the run's source, and still openable.
      loaded.push(await loadSuite({ ...options, suite: relative('', path) }, { fetch }))
    } catch (error) {
      if (!(error instanceof EvalFailure)) throw error
      problems.push(error.message)
    }
  }
  if (problems.length > 0) throw new CliError([...new Set(problems)].join('\n'), { hint: 'Nothing was run.' })
  return loaded
}

interface Batch {
  readonly suites: readonly LoadedSuite[]
  readonly run: (suite: LoadedSuite) => Promise<EvalReport>
  readonly onOutcome: (outcome: Outcome) => void
  readonly signal: AbortSignal
}

/** One after the other: two suites at once would share a target's limits. An interruption ends them all. */
async function runAll({ suites, run, onOutcome, signal }: Batch): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const suite of suites) {
    if (signal.aborted) break
    const outcome = await run(suite).then(
      (report): Outcome => ({ report }),
      (error: unknown): Outcome => {
        if (!(error instanceof EvalFailure)) throw error
        return { suite: suite.suite.name, error }
      },
    )
    outcomes.push(outcome)
    onOutcome(outcome)
  }
  return outcomes
}

/** A run that ended before its last trial was judged. */
const isBroken = (outcome: Outcome): boolean =>
  'report' in outcome &&
  outcome.report.cases.some(
    ({ status, error }) => status === 'not-run' || (error !== undefined && error.kind !== 'target'),
  )

const isNotConcerned = (outcome: Outcome | undefined): boolean =>
  outcome !== undefined && 'report' in outcome && outcome.report.verdict === 'not-concerned'

/** A suite that was not run, or could not be, has no verdict; nor may it be said then what no suite used. */
function conclude(
  outcomes: readonly Outcome[],
  wanted: number,
): { readonly code: ExitCode; readonly reasons: readonly string[] } {
  const reports = reportsOf(outcomes)
  if (reports.length < wanted) return { code: 2, reasons: [] }
  const { exitCode, reasons } = concludeEvals(reports)
  return { code: exitCode, reasons }
}
