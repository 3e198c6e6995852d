import type { Check, Checked, SuiteJudgement } from '@promptkeep/evals'
import { oneLine, printable, type Style } from './style.ts'
import { shortId } from './trend-output.ts'
import { wrapped } from './wrap.ts'

const HEADLINES: Readonly<Record<Check['outcome'], string>> = {
  pass: 'PASS',
  fail: 'FAIL',
  inconclusive: 'INCONCLUSIVE: too little evidence to say',
  undecided: 'CANNOT TELL',
}

const SHOWN_CASES = 20

/** A check as a person reads it, ending in a line break. */
export function formatCheck(
  { alias, to, outcome, checked, problems, notes, advice }: Check,
  style: Style,
): string {
  const paint = paintOf(outcome, style)
  const against = alias === to ? '' : ` against ${oneLine(to)}`
  const say = (first: string, text: string, indent?: string) => wrapped(first, oneLine(text), indent)
  return [
    paint(`check of ${oneLine(alias)}${against}: ${HEADLINES[outcome]}`),
    ...checked.flatMap((one) => checkedLines(one, style)),
    ...problems.flatMap((text) => say('  ! ', text)),
    ...notes.flatMap((text) => say('  note: ', text)),
    ...(advice.length > 0 ? ['  what to do:', ...advice.map((command) => `    ${oneLine(command)}`)] : []),
    '',
  ].join('\n')
}

function checkedLines({ prompt, candidate, baseline, suites }: Checked, style: Style): string[] {
  const versions =
    baseline === undefined ? `v${candidate?.version}` : `v${candidate?.version} against v${baseline.version}`
  const head = prompt === undefined ? [] : [`  ${oneLine(prompt)} ${versions}`]
  return [...head, ...suites.flatMap((suite) => suiteLines(suite, style))]
}

function suiteLines(
  { suite, outcome, reasons, answers, worse, run, baselineRun }: SuiteJudgement,
  style: Style,
): string[] {
  const say = (text: string) => wrapped('      ', oneLine(text))
  const runs =
    run === undefined ? '' : `  run ${shortId(run)}${baselineRun ? `, baseline ${shortId(baselineRun)}` : ''}`
  const shown = worse.slice(0, SHOWN_CASES).join(', ')
  const more = worse.length > SHOWN_CASES ? ` and ${worse.length - SHOWN_CASES} more` : ''
  // What a gate that did not pass says is among the reasons.
  const passed = answers.filter((answer) => answer.outcome === 'pass')
  return [
    `${paintOf(outcome, style)(`    ${oneLine(suite)}: ${outcome.replace('-', ' ')}`)}${printable(runs)}`,
    ...passed.flatMap(({ metric, reason }) => say(`${metric}: ${reason}`)),
    ...reasons.flatMap(say),
    ...(worse.length > 0 ? say(`worse: ${shown}${more}`) : []),
  ]
}

const paintOf = (outcome: SuiteJudgement['outcome'], style: Style): Style['red'] =>
  ({
    pass: style.green,
    fail: style.red,
    inconclusive: style.yellow,
    undecided: style.yellow,
    'not-concerned': style.dim,
  })[outcome]
