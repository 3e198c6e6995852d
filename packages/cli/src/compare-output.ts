import { type ChangedCase, describeChange, type EvalRun, type RunComparison } from '@promptkeep/evals'
import { oneLine, type Style, table, when } from './style.ts'
import { rounded, shortId, signed } from './trend-output.ts'
import { wrapped } from './wrap.ts'

const HEADLINES: Readonly<Record<RunComparison['outcome'], string>> = {
  pass: 'NO WORSE',
  fail: 'WORSE',
  inconclusive: 'INCONCLUSIVE: too little evidence to say',
  undecided: 'CANNOT TELL',
}

/** Of each kind; the rest is counted, and in the JSON. */
const SHOWN_CASES = 20

/** A comparison as a person reads it, ending in a line break. */
export function formatComparison(comparison: RunComparison, style: Style): string {
  const { suite, outcome, candidate, baseline, problems, notes, prompts, metrics, gates, cases, unpaired } =
    comparison
  const paint = { pass: style.green, fail: style.red, inconclusive: style.yellow, undecided: style.yellow }[
    outcome
  ]
  const say = (first: string, text: string, indent?: string) => wrapped(first, oneLine(text), indent)
  const blocks = [
    [
      paint(`${oneLine(suite)}: ${HEADLINES[outcome]}`),
      `  candidate  ${describeRun(candidate)}`,
      `  baseline   ${describeRun(baseline)}`,
      ...(prompts.length > 0 ? say('  prompts    ', prompts.map(describeChange).join('; ')) : []),
      ...problems.flatMap((text) => say('  ! ', text)),
      ...notes.flatMap((text) => say('  note: ', text)),
    ],
    metricLines(metrics, style),
    (gates?.answers ?? []).flatMap(({ metric, outcome: answer, reason }) =>
      say('  ', `gate ${metric}: ${answer}; ${reason}`, '    '),
    ),
    (gates?.hardMisses ?? []).flatMap(({ scorer, ids }) =>
      say('  ! ', `${scorer} tolerates no miss: ${shown(ids).join(', ')}`),
    ),
    caseLines(cases, 'worse', style.red),
    caseLines(cases, 'better', style.green),
    unpaired.length === 0
      ? []
      : say(
          '  ! ',
          `not paired, for only one of the runs says something of them: ${shown(unpaired).join(', ')}`,
        ),
  ]
  const text = blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
  return `${text}\n`
}

function describeRun({ id, startedAt, aliasChain, model, trials = 1 }: EvalRun): string {
  const facts = [
    oneLine(shortId(id)),
    when(startedAt),
    ...(aliasChain[0] === undefined ? [] : [`@${oneLine(aliasChain[0])}`]),
    ...(model === undefined ? [] : [oneLine(model)]),
    ...(trials > 1 ? [`${trials} trials`] : []),
  ]
  return facts.join('  ')
}

function metricLines(metrics: RunComparison['metrics'], style: Style): string[] {
  const all = Object.entries(metrics)
  if (all.length === 0) return []
  const head = ['METRIC', 'BASELINE', 'CANDIDATE', 'CHANGE', 'BETTER', 'WORSE', 'SAME', 'P']
  const rows = all.map(([metric, one]) => [
    `${oneLine(metric)}${one.direction === 'lower' ? ' (lower is better)' : ''}`,
    rounded(one.baseline),
    rounded(one.candidate),
    signed(one.difference),
    ...[one.better, one.worse, one.same].map(String),
    one.pValue < 0.001 ? '<0.001' : rounded(one.pValue),
  ])
  const [first = '', ...rest] = table([head, ...rows])
    .trimEnd()
    .split('\n')
  return [
    style.dim(`  ${first}`),
    ...rest.map((line) => `  ${line}`),
    style.dim('  P: chance of such a change if nothing changed (exact; Holm over the metrics)'),
  ]
}

function caseLines(
  cases: readonly ChangedCase[],
  change: ChangedCase['change'],
  paint: Style['red'],
): string[] {
  const byCase = new Map<string, string[]>()
  for (const { id, metric, baseline, candidate } of cases.filter((one) => one.change === change))
    byCase.set(id, [
      ...(byCase.get(id) ?? []),
      `${oneLine(metric)} ${values(baseline)} -> ${values(candidate)}`,
    ])
  if (byCase.size === 0) return []
  const rows = [...byCase].slice(0, SHOWN_CASES).map(([id, changes]) => [oneLine(id), changes.join(', ')])
  const more = byCase.size - rows.length
  return [
    paint(`  ${change}: ${byCase.size} ${byCase.size === 1 ? 'case' : 'cases'}`),
    ...table(rows)
      .trimEnd()
      .split('\n')
      .map((line) => `    ${line}`),
    ...(more > 0 ? [`    and ${more} more (--json has them all)`] : []),
  ]
}

/** `1`, of several trials `0.625 of 8`. */
function values(trials: readonly number[]): string {
  const mean = rounded(trials.reduce((sum, value) => sum + value, 0) / trials.length)
  return trials.length === 1 ? mean : `${mean} of ${trials.length} trials`
}

const shown = (ids: readonly string[]): string[] => [
  ...ids.slice(0, SHOWN_CASES).map(oneLine),
  ...(ids.length > SHOWN_CASES ? [`and ${ids.length - SHOWN_CASES} more`] : []),
]
