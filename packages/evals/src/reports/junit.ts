import XMLBuilder from 'fast-xml-builder'
import { passes } from '../metrics.ts'
import type { EvalReport } from '../report.ts'
import { rounded } from '../words.ts'
import { type CaseGroup, groupCases, whyOf } from './case-groups.ts'
import type { ReportInput } from './report-input.ts'

type Attributes = Readonly<Record<`@_${string}`, string | number>>
interface TestCase extends Attributes {
  readonly failure?: object
  readonly error?: object
  readonly skipped?: object
  readonly 'system-out'?: object
}

/**
 * Runs as JUnit XML, as CI systems read it: a `testsuite` for each suite, a `testcase` for each gate and each case. A case with
 * several trials fails when any of them did; what it answered is in `system-out`. A run without a verdict has an error of its own.
 */
export function junitReport({ reports, title = 'Evals' }: ReportInput): string {
  const suites = reports.map(suiteOf)
  const sum = (key: '@_tests' | '@_failures' | '@_errors' | '@_skipped') =>
    suites.reduce((total, suite) => total + Number(suite[key]), 0)
  const builder = new XMLBuilder({ ignoreAttributes: false, format: true, suppressEmptyNode: true })
  const text = builder.build({
    '?xml': { '@_version': '1.0', '@_encoding': 'UTF-8' },
    testsuites: {
      '@_name': safe(title),
      '@_tests': sum('@_tests'),
      '@_failures': sum('@_failures'),
      '@_errors': sum('@_errors'),
      '@_skipped': sum('@_skipped'),
      '@_time': seconds(reports.reduce((total, { durationMs }) => total + durationMs, 0)),
      testsuite: suites,
    },
  })
  return text.endsWith('\n') ? text : `${text}\n`
}

function suiteOf(report: EvalReport) {
  const { suite, durationMs, verdict, reasons } = report
  const groups = groupCases(report.cases)
  const cases = [
    ...(verdict === 'invalid' ? [verdictCase(suite, reasons)] : []),
    ...gatesOf(report),
    ...groups.map((group) => caseOf(suite, group)),
  ]
  const count = (key: 'failure' | 'error' | 'skipped') => cases.filter((one) => one[key]).length
  return {
    '@_name': safe(suite),
    '@_tests': cases.length,
    '@_failures': count('failure'),
    '@_errors': count('error'),
    '@_skipped': count('skipped'),
    '@_time': seconds(durationMs),
    ...startOf(report),
    properties: { property: propertiesOf(report) },
    testcase: cases,
  }
}

/** Some readers want a time, and take none that is not ISO 8601. */
function startOf({ cases }: EvalReport): Attributes {
  const starts = cases.map(({ startedAt }) => startedAt).filter((at) => at > 0)
  const first = starts.reduce((least, at) => Math.min(least, at), Number.POSITIVE_INFINITY)
  return Number.isFinite(first) ? { '@_timestamp': new Date(first).toISOString().slice(0, 19) } : {}
}

function propertiesOf(report: EvalReport): Attributes[] {
  const { metrics, prompts, dataset, fingerprint, model, judgeModel, run, promptAlias, verdict } = report
  const facts: Readonly<Record<string, string | undefined>> = {
    verdict,
    run: run.id,
    experiment: run.experiment,
    dataset: dataset.name,
    dataset_digest: dataset.digest,
    alias_chain: promptAlias.join(','),
    fingerprint,
    model,
    judge_model: judgeModel,
    ...Object.fromEntries(
      Object.entries(prompts).flatMap(([name, { version, digest }]) => [
        [`prompt.${name}`, `v${version}`],
        [`prompt_digest.${name}`, digest],
      ]),
    ),
    ...Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, rounded(value)])),
  }
  return Object.entries(facts).flatMap(([name, value]) =>
    value === undefined ? [] : [{ '@_name': safe(name), '@_value': safe(value) }],
  )
}

const verdictCase = (suite: string, reasons: readonly string[]): TestCase => ({
  ...naming(suite, 'the run is evidence'),
  '@_time': '0.000',
  error: {
    '@_message': safe(reasons[0] ?? 'no verdict'),
    '@_type': 'invalid',
    '#text': safe(reasons.join('\n')),
  },
})

/** A gate was judged only where the run has a verdict. */
function gatesOf({ suite, gates, metrics, verdict }: EvalReport): TestCase[] {
  return gates.map((gate): TestCase => {
    const { metric, direction, threshold } = gate
    const bar = `${metric} ${direction === 'higher' ? '≥' : '≤'} ${threshold}`
    const base = { ...naming(suite, `gate: ${bar}`), '@_time': '0.000' }
    if (verdict !== 'passed' && verdict !== 'failed')
      return { ...base, skipped: { '@_message': safe(verdict) } }
    if (passes(gate, metrics)) return base
    const value = metrics[metric]
    const message = `${metric} is ${value === undefined ? 'unknown' : rounded(value)}, and must be ${bar.slice(metric.length + 1)}`
    return { ...base, failure: { '@_message': safe(message), '@_type': 'gate' } }
  })
}

function caseOf(suite: string, { id, trials, passed, status, why }: CaseGroup): TestCase {
  const base = {
    ...naming(suite, id),
    '@_time': seconds(trials.reduce((total, { durationMs }) => total + durationMs, 0)),
  }
  if (status === 'not-run' && passed === 0) return { ...base, skipped: { '@_message': 'not run' } }
  const share = trials.length > 1 ? `${passed} of ${trials.length} trials passed` : ''
  const message = [share, why[0] ?? ''].filter((text) => text !== '').join('; ')
  const out = trials.map((trial, i) => {
    const head = trials.length > 1 ? [`trial ${i + 1}: ${trial.status}`] : []
    return [...head, ...(whyOf(trial) ?? '').split('; '), trial.result?.output ?? '']
      .filter(Boolean)
      .join('\n')
  })
  const told = { '#text': safe(out.join('\n\n').slice(0, MOST_TEXT)) }
  if (status === 'passed' || status === 'not-run') return { ...base, 'system-out': told }
  const problem = {
    '@_message': safe(message),
    '@_type': status,
    '#text': safe(why.join('\n').slice(0, MOST_TEXT)),
  }
  return status === 'error'
    ? { ...base, error: problem, 'system-out': told }
    : { ...base, failure: problem, 'system-out': told }
}

/** Enough to see what went wrong; whole answers are in the run's table. */
const MOST_TEXT = 20_000

const naming = (suite: string, name: string) => ({ '@_classname': safe(suite), '@_name': safe(name) })

const seconds = (ms: number): string => (ms / 1000).toFixed(3)

/** What XML 1.0 cannot hold, however it is written: control characters and halves of characters. */
const safe = (text: string): string =>
  text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
