import type { EvalFailure, EvalReport, LoadedSuite, Progress, Verdict } from '@promptkeep/evals'
import { formatReport } from '@promptkeep/evals'
import type { Io } from './io.ts'
import { printJson } from './registry-command.ts'
import { createStyle, printable } from './style.ts'

/** A suite that was run, or what kept it from running. */
export type Outcome =
  | { readonly report: EvalReport }
  | { readonly suite: string; readonly error: EvalFailure }

/** How much is said, and in which form. */
export interface Saying {
  readonly json?: true
  readonly verbose?: true
}

export const reportsOf = (outcomes: readonly Outcome[]): EvalReport[] =>
  outcomes.flatMap((outcome) => ('report' in outcome ? [outcome.report] : []))

export function sayChecked(io: Io, flags: Saying, suites: readonly LoadedSuite[]): void {
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

export function sayOutcome(io: Io, flags: Saying, outcome: Outcome): void {
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
export function showProgress(io: Io, progress: Progress): void {
  if (!io.err.isTty) return
  const { suite, total, passed, failed, errors, costUsd, leftMs } = progress
  const done = passed + failed + errors
  const width = 20
  const filled = total === 0 ? width : Math.round((done / total) * width)
  const bar = `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`
  const facts = [
    `${passed} passed`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(errors > 0 ? [`${errors} errors`] : []),
    ...(leftMs !== undefined && done < total ? [`${timeText(leftMs)} left`] : []),
    ...(costUsd === undefined ? [] : [`$${costUsd.toFixed(costUsd < 1 ? 3 : 2)}`]),
  ]
  io.err.write(`${CLEAR_LINE}${suite}  ${bar}  ${done}/${total}  ${facts.join(', ')}`)
}

/** `45 s`, `3 min`, `1 h 5 min`: as exact as a guess is. */
function timeText(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.ceil(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const CLEAR_LINE = '\r\u001B[2K'

const clearLine = (io: Io): void => {
  if (io.err.isTty) io.err.write(CLEAR_LINE)
}

export const summaryOf = (outcomes: readonly Outcome[], wanted: number): string => {
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

export const asJson = (outcome: Outcome): object =>
  'report' in outcome
    ? outcome.report
    : { suite: outcome.suite, error: { code: outcome.error.code, message: outcome.error.message } }
