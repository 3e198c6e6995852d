import { randomUUID } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { refuse } from '@promptkeep/client/protocol'
import {
  concludeEvals,
  createEvalDeps,
  EvalFailure,
  type EvalOptions,
  type EvalReport,
  formatReport,
  type LoadedSuite,
  loadSuite,
  type Progress,
  runSuite,
  type Verdict,
} from '@promptkeep/evals'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import type { ExitCode, Io } from '../io.ts'
import {
  openAdmin,
  printJson,
  type RegistryFlags,
  registryCommand,
  withRegistry,
} from '../registry-command.ts'
import { createStyle, printable } from '../style.ts'

interface Flags extends RegistryFlags {
  readonly dataset?: string
  readonly model?: string
  readonly judgeModel?: string
  readonly passThreshold?: number
  readonly promptAlias: string
  readonly verbose?: true
  readonly dryRun?: true
}

/** A suite that was run, or what kept it from running. */
type Outcome = { readonly report: EvalReport } | { readonly suite: string; readonly error: EvalFailure }

export const evalCommand = (io: Io): Command =>
  registryCommand(
    'eval',
    'Run eval suites, and log which prompt versions they judged',
    'eval',
    'eval evals/tone.yaml --prompt-alias experiment',
    'eval evals/tone.yaml --pass-threshold 0.95 --verbose',
  )
    .argument('[suite...]', 'suite manifests, or folders of them', ['evals'])
    .option('--dataset <file>', 'run the suites on this dataset instead of their own')
    .option('--model <name>', "use this model for the target (default: the target's own)")
    .option('--judge-model <name>', 'judge with this model; recorded with the run')
    .option('--pass-threshold <rate>', "pass at this rate, 0 to 1, instead of the suites' own", rate)
    .option(
      '--prompt-alias <alias>',
      'judge this alias or chain; experiment is experiment,production',
      'production',
    )
    .option('--verbose', 'show every case with its answer')
    .option('--dry-run', 'check suites, datasets and targets, and run nothing')
    .addHelpText(
      'after',
      '\nExit codes: 0 passed, 1 a gate failed, 2 no verdict (configuration, an outage, a fallback).',
    )
    .action(async (paths: string[], flags: Flags) => {
      const suites = await loadAll(await findSuites(paths, io.cwd), optionsOf(flags, io.cwd))
      if (flags.dryRun) return sayChecked(io, flags, suites)
      const outcomes = await withRegistry(io, flags, (registry) => {
        const stop = new AbortController()
        void io.untilStopped().then(() => stop.abort())
        const deps = createEvalDeps({
          registry,
          log: openAdmin(io, flags),
          trackingUri: flags.trackingUri,
          env: io.env,
          now: io.now,
          newId: () => randomUUID().slice(0, 8),
          git: io.git,
          signal: stop.signal,
          onProgress: (progress) => showProgress(io, progress),
        })
        const run = (suite: LoadedSuite) => runSuite(suite, deps)
        return runAll({
          suites,
          run,
          onOutcome: (outcome) => sayOutcome(io, flags, outcome),
          signal: stop.signal,
        })
      })
      const { code, reasons } = conclude(outcomes, suites.length)
      if (outcomes.some((one) => 'error' in one && one.error.code === 'INFRASTRUCTURE'))
        io.err.write(START_HINT)
      if (flags.json) printJson(io, { exitCode: code, reasons, suites: outcomes.map(asJson) })
      else if (suites.length > 1) io.out.write(`${summaryOf(outcomes, suites.length)}\n`)
      // A lone suite that no candidate reached has said so.
      if (suites.length > 1 || !isNotConcerned(outcomes[0]))
        for (const reason of reasons)
          io.err.write(`${createStyle(io.err, io.env).red('error:')} ${printable(reason)}\n`)
      io.setExitCode(code)
    })

const START_HINT =
  'Start a registry with: promptkeep serve   or name one with --tracking-uri or MLFLOW_TRACKING_URI.\n'

function rate(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    refuse('--pass-threshold', text, 'a number from 0 to 1')
  return value
}

const optionsOf = (flags: Flags, cwd: string): Omit<EvalOptions, 'suite'> => ({
  dataset: flags.dataset === undefined ? undefined : resolve(cwd, flags.dataset),
  model: flags.model,
  judgeModel: flags.judgeModel,
  passThreshold: flags.passThreshold,
  promptAlias: flags.promptAlias,
})

/** Files as they are named; of a folder every `.yaml` and `.yml` directly in it, by name. */
async function findSuites(paths: readonly string[], cwd: string): Promise<string[]> {
  const found: string[] = []
  for (const path of paths) {
    const full = resolve(cwd, path)
    const entry = await stat(full).catch(() => undefined)
    if (!entry)
      throw new CliError(`there is no suite ${path}`, { hint: 'Name a suite, or a folder of suites.' })
    if (!entry.isDirectory()) {
      found.push(full)
      continue
    }
    const names = (await readdir(full)).filter((name) => /\.ya?ml$/.test(name)).sort()
    if (names.length === 0) throw new CliError(`the folder ${path} holds no suites (.yaml files)`)
    found.push(...names.map((name) => join(full, name)))
  }
  return found
}

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

const isNotConcerned = (outcome: Outcome | undefined): boolean =>
  outcome !== undefined && 'report' in outcome && outcome.report.verdict === 'not-concerned'

const reportsOf = (outcomes: readonly Outcome[]): EvalReport[] =>
  outcomes.flatMap((outcome) => ('report' in outcome ? [outcome.report] : []))

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

function sayChecked(io: Io, flags: Flags, suites: readonly LoadedSuite[]): void {
  const facts = suites.map(({ suite, dataset, gates }) => ({
    suite: suite.name,
    cases: dataset.cases.length,
    dataset_digest: dataset.digest,
    target: suite.target,
    gates,
  }))
  if (flags.json) printJson(io, { exitCode: 0, suites: facts })
  else
    for (const { suite, cases, dataset_digest: digest, target } of facts) {
      io.out.write(
        `${suite}: fine; ${cases} ${cases === 1 ? 'case' : 'cases'} (${digest.slice(0, 12)}), target ${target}; nothing was run\n`,
      )
    }
}

function sayOutcome(io: Io, flags: Flags, outcome: Outcome): void {
  clearLine(io)
  const style = createStyle(io.out, io.env)
  const paint: Record<Verdict, (text: string) => string> = {
    passed: style.green,
    failed: style.red,
    invalid: style.yellow,
    'not-concerned': style.dim,
    shard: style.dim,
  }
  if ('error' in outcome) {
    io.err.write(
      `${createStyle(io.err, io.env).red('error:')} ${outcome.suite}: ${printable(outcome.error.message)}\n`,
    )
  } else if (!flags.json) {
    const text = printable(formatReport(outcome.report, { verbose: flags.verbose === true }))
    const [first = '', ...rest] = text.split('\n')
    io.out.write([paint[outcome.report.verdict](first), ...rest, ''].join('\n'))
  }
}

/** One line on a terminal, written over and over; nothing where nobody watches. */
function showProgress(io: Io, { suite, total, passed, failed, errors }: Progress): void {
  if (!io.err.isTty) return
  const done = passed + failed + errors
  const width = 24
  const filled = Math.round((done / total) * width)
  const bar = `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`
  const counts = `${passed} passed, ${failed} failed, ${errors} errors`
  io.err.write(`${CLEAR_LINE}${suite}  ${bar}  ${done}/${total}  ${counts}`)
}

const CLEAR_LINE = '\r\u001B[2K'

const clearLine = (io: Io): void => {
  if (io.err.isTty) io.err.write(CLEAR_LINE)
}

const summaryOf = (outcomes: readonly Outcome[], wanted: number): string => {
  const reports = reportsOf(outcomes)
  const count = (verdict: Verdict) => reports.filter((report) => report.verdict === verdict).length
  const without = count('invalid') + outcomes.length - reports.length
  const more = [
    [count('not-concerned'), 'not concerned'],
    [wanted - outcomes.length, 'not run'],
  ].filter(([number]) => number !== 0)
  const parts = [`${count('passed')} passed`, `${count('failed')} failed`, `${without} without a verdict`]
  return `${wanted} suites: ${[...parts, ...more.map((part) => part.join(' '))].join(', ')}`
}

const asJson = (outcome: Outcome): object =>
  'report' in outcome
    ? outcome.report
    : { suite: outcome.suite, error: { code: outcome.error.code, message: outcome.error.message } }
