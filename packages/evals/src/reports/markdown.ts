import type { RunComparison } from '../compare-runs.ts'
import { passes } from '../metrics.ts'
import type { EvalReport, Verdict } from '../report.ts'
import { rounded, signed } from '../words.ts'
import { groupCases } from './case-groups.ts'
import type { ReportInput } from './report-input.ts'

/** GitHub refuses a comment that is longer, in characters. */
export const MARKDOWN_LIMIT = 65_536
const SHOWN_CASES = 20
const MOST_TEXT = 300

/**
 * A summary fit for a pull request: what came of each suite, its gates, the prompts that were judged, what they are compared
 * with, and the cases that did not pass. Nothing in it is longer than GitHub takes, and nothing that a model wrote can format,
 * link, embed or mention anybody.
 */
export function markdownReport(input: ReportInput): string {
  const { reports, comparisons = [], title = 'Evals' } = input
  // Of a comparison alone nothing was run: its part says what it came to.
  const came = reports.length === 0 && comparisons.length > 0 ? '' : `: ${headline(reports)}`
  const head = [`## ${escaped(title)}${came}`, '', ...overview(reports), '']
  const parts = [...reports.map(suitePart), ...comparisons.map(comparisonPart)]
  let text = head.join('\n')
  let left = parts.length
  for (const part of parts) {
    // Room for the line that says what was left out.
    if (text.length + part.length + 200 > MARKDOWN_LIMIT) break
    text += `\n${part}\n`
    left--
  }
  const more =
    left === 0
      ? ''
      : `\n_${left} more ${left === 1 ? 'part does' : 'parts do'} not fit here: see the run in MLflow, or the HTML report._\n`
  return fitted(text) + more
}

/** A headline alone can be too long: a thousand suites. */
const fitted = (text: string): string =>
  text.length + 200 <= MARKDOWN_LIMIT ? text : `${text.slice(0, MARKDOWN_LIMIT - 300)}…\n`

const SIGNS: Readonly<Record<Verdict, string>> = {
  passed: '✅ passed',
  failed: '❌ failed',
  invalid: '⚠️ no verdict',
  'not-concerned': '➖ not concerned',
  shard: '🧩 a shard',
}

function headline(reports: readonly EvalReport[]): string {
  const counts = Object.entries(SIGNS).flatMap(([verdict, sign]) => {
    const count = reports.filter((report) => report.verdict === verdict).length
    return count === 0 ? [] : [reports.length === 1 ? sign : `${count} ${sign}`]
  })
  return counts.join(', ') || 'nothing was run'
}

function overview(reports: readonly EvalReport[]): string[] {
  if (reports.length === 0) return []
  return [
    '| suite | verdict | gates | cases | cost |',
    '|---|---|---|--:|--:|',
    ...reports.map((report) => {
      const { suite, verdict, metrics } = report
      const cost = metrics.cost_usd
      return `| ${[
        escaped(suite),
        SIGNS[verdict],
        report.gates.map((gate) => gateText(report, gate)).join('<br>'),
        `${metrics.passed ?? 0} of ${metrics.total ?? 0}`,
        cost === undefined ? '' : `$${cost.toFixed(2)}`,
      ].join(' | ')} |`
    }),
  ]
}

function gateText({ metrics, verdict }: EvalReport, gate: EvalReport['gates'][number]): string {
  const { metric, direction, threshold } = gate
  const value = metrics[metric]
  const isJudged = verdict === 'passed' || verdict === 'failed'
  const sign = isJudged ? (passes(gate, metrics) ? '✓ ' : '✗ ') : ''
  const bar = `${direction === 'higher' ? '≥' : '≤'} ${threshold}`
  return `${sign}${escaped(metric)} ${value === undefined ? 'unknown' : rounded(value)} (${bar})`
}

function suitePart(report: EvalReport): string {
  const { suite, reasons, notes, prompts, model, judgeModel, dataset, run, candidates } = report
  const versions = Object.entries(prompts).map(([name, { version, alias }]) => {
    const isCandidate = candidates[name] !== undefined
    const text = `${escaped(name)} v${version}${alias === undefined ? '' : ` (${escaped(alias)})`}`
    return isCandidate ? `**${text}**` : text
  })
  const facts = [
    ...(versions.length > 0 ? [`- Prompts: ${versions.join(', ')}`] : []),
    ...(model === undefined
      ? []
      : [
          `- Model: ${escaped(model)}${judgeModel === undefined ? '' : `, judged by ${escaped(judgeModel)}`}`,
        ]),
    `- Dataset: ${escaped(dataset.name)} (\`${dataset.digest.slice(0, 12)}\`), run \`${run.id}\``,
  ]
  const bad = groupCases(report.cases)
    .filter(({ status }) => status === 'failed' || status === 'error')
    .sort((a, b) => a.passed / a.trials.length - b.passed / b.trials.length)
  const shown = bad.slice(0, SHOWN_CASES)
  return [
    `### ${escaped(suite)}`,
    '',
    ...reasons.map((reason) => `- ❗ ${escaped(cut(reason))}`),
    ...facts,
    ...notes.map((note) => `- ${escaped(cut(note))}`),
    ...(shown.length === 0
      ? []
      : [
          '',
          `<details><summary>${bad.length} ${bad.length === 1 ? 'case' : 'cases'} did not pass</summary>`,
          '',
          '| case | passed | why |',
          '|---|--:|---|',
          ...shown.map(
            ({ id, passed, trials, why }) =>
              `| ${escaped(id)} | ${passed}/${trials.length} | ${escaped(cut(why.join('; ')))} |`,
          ),
          ...(bad.length > shown.length ? [`| … | | and ${bad.length - shown.length} more |`] : []),
          '',
          '</details>',
        ]),
  ].join('\n')
}

function comparisonPart({
  suite,
  baseline,
  candidate,
  outcome,
  problems,
  metrics,
  gates,
}: RunComparison): string {
  return [
    `### ${escaped(suite)}: compared with run \`${baseline.id}\``,
    '',
    `Run \`${candidate.id}\`: **${outcome}**`,
    '',
    ...problems.map((problem) => `- ❗ ${escaped(cut(problem))}`),
    ...(gates?.answers ?? []).map(({ metric, reason }) => `- ${escaped(metric)}: ${escaped(cut(reason))}`),
    ...(Object.keys(metrics).length === 0
      ? []
      : [
          '',
          '| metric | difference | better | worse | same | p |',
          '|---|--:|--:|--:|--:|--:|',
          ...Object.entries(metrics).map(
            ([metric, { difference, better, worse, same, pValue }]) =>
              `| ${escaped(metric)} | ${signed(difference)} | ${better} | ${worse} | ${same} | ${rounded(pValue)} |`,
          ),
        ]),
  ].join('\n')
}

const cut = (text: string): string => (text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text)

/**
 * On one line, and nothing in it means anything: no markup, no HTML, no link, no mention, no reference to an issue. A character
 * without a width keeps `@`, `#` and addresses apart from what follows, since no backslash does.
 */
function escaped(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Bidi_Control}\s]+/gu, ' ')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/[\\`*_{}[\]()|~!$^=]/g, '\\$&')
    .replace(/([@#])(?=[\w-])/g, '$1\u200B')
    .replace(/(GH)-(?=\d)/gi, '$1\u200B-')
    .replace(/:\/\//g, ':\u200B//')
    .replace(/\bwww\./gi, (www) => `${www.slice(0, 3)}\u200B.`)
    .trim()
}
