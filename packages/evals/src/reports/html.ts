import { describeChange } from '../prompt-changes.ts'
import type { EvalReport } from '../report.ts'
import { gateLine, questionOf, seconds } from '../report-facts.ts'
import type { SuiteTrend } from '../trend.ts'
import { rounded } from '../words.ts'
import { casesSection } from './case-list.ts'
import { course, histogram, shareBar, stackedBar } from './charts.ts'
import { comparisonSection } from './comparison-section.ts'
import { html, type Markup } from './markup.ts'
import type { ReportInput } from './report-input.ts'
import { STYLE } from './style.ts'

/** Nothing is loaded, nothing runs: whatever a model wrote, it is text. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'"

/**
 * Runs as one HTML file that needs nothing else: verdicts, gates, charts, every case with its trials, and where they are known
 * what they are compared with and how their suites went. It stays readable with thousands of trials: answers are cut, and it
 * says where.
 */
export function htmlReport(input: ReportInput): string {
  const { reports, comparisons = [], trends = [], title = 'Evals', madeAt } = input
  const trials = reports.reduce((sum, { cases }) => sum + cases.length, 0)
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${title}</title>
<style>${{ markup: STYLE }}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="soft">${sumOf(input)}${madeAt === undefined ? undefined : html` · <time datetime="${new Date(madeAt).toISOString()}">${when(madeAt)}</time>`}</p>
${reports.length > 1 ? contents(reports) : undefined}
</header>
<main>
${reports.map((report, i) => suiteSection(report, i, trials))}
${comparisons.map((comparison, i) => comparisonSection(comparison, i))}
${trends.map((trend, i) => trendSection(trend, i))}
</main>
</body>
</html>
`
  return page.markup
}

const when = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`

const badge = (verdict: string): Markup =>
  html`<span class="badge ${verdict}">${SIGNS[verdict] ?? ''} ${verdict.replace('-', ' ')}</span>`

const SIGNS: Readonly<Record<string, string>> = {
  passed: '✓',
  failed: '✗',
  invalid: '!',
  'not-concerned': '–',
  shard: '–',
}

function sumOf({ reports, comparisons = [], trends = [] }: ReportInput): string {
  const counts = new Map<string, number>()
  for (const { verdict } of reports) counts.set(verdict, (counts.get(verdict) ?? 0) + 1)
  const parts = [...counts].map(([verdict, count]) => `${count} ${verdict.replace('-', ' ')}`)
  if (parts.length > 0) return `Suites: ${parts.join(', ')}`
  // Of runs that are only looked at nothing was run.
  return comparisons.length + trends.length > 0 ? 'From runs in MLflow' : 'Nothing was run.'
}

const contents = (reports: readonly EvalReport[]): Markup =>
  html`<nav aria-label="Suites"><ul>${reports.map(
    ({ suite, verdict }, i) => html`<li><a href="#suite-${i}">${suite}</a> ${badge(verdict)}</li>`,
  )}</ul></nav>`

function suiteSection(report: EvalReport, place: number, allTrials: number): Markup {
  const { suite, verdict, reasons, notes, metrics, prompts, dataset, run, model, judgeModel } = report
  const { passed = 0, failed = 0, errors = 0, not_run: left = 0, cost_usd: cost, cached } = metrics
  const counts = [
    `${passed} passed`,
    `${failed} failed`,
    `${errors} errors`,
    ...(left > 0 ? [`${left} not run`] : []),
  ].join(', ')
  const versions = Object.entries(prompts).map(
    ([name, { version, alias, digest, cases }]) =>
      html`<div>${name} <b>v${version}</b>${alias === undefined ? '' : ` @${alias}`} <span class="soft">${digest.slice(0, 12)}, ${cases} ${cases === 1 ? 'case' : 'cases'}</span></div>`,
  )
  return html`<section aria-labelledby="suite-${place}">
<h2 id="suite-${place}">${suite} ${badge(verdict)}</h2>
${reasons.length > 0 ? html`<ul class="reasons">${reasons.map((reason) => html`<li>${reason}</li>`)}</ul>` : undefined}
<dl>
<dt>${report.gates.length === 1 ? 'Gate' : 'Gates'}</dt><dd>${report.gates.map((gate) => html`<div>${gateLine(gate, report)}</div>`)}</dd>
<dt>Question</dt><dd>${questionOf(report)}</dd>
<dt>Prompts</dt><dd>${versions.length > 0 ? versions : 'none was reported'}</dd>
${model === undefined ? undefined : html`<dt>Model</dt><dd>${model}</dd>`}
${judgeModel === undefined ? undefined : html`<dt>Judge</dt><dd>${judgeModel}</dd>`}
<dt>Dataset</dt><dd>${dataset.name} <span class="soft">${dataset.digest.slice(0, 12)}</span></dd>
<dt>Took</dt><dd>${seconds(report.durationMs)}${latencyText(report)}${cost === undefined ? '' : `, $${cost.toFixed(3)}`}${cached === undefined ? '' : `, ${cached} answers of earlier runs`}</dd>
<dt>Run</dt><dd><code>${run.id}</code> <span class="soft">in ${run.experiment}</span></dd>
${notes.length > 0 ? html`<dt>Notes</dt><dd>${notes.map((note) => html`<div>${note}</div>`)}</dd>` : undefined}
</dl>
<div class="charts">
<figure><figcaption>Trials: ${counts}</figcaption>${stackedBar('Trials', counts, [
    { kind: 'good', count: passed },
    { kind: 'bad', count: failed },
    { kind: 'broken', count: errors },
    { kind: 'none', count: left },
  ])}</figure>
${scorerCharts(report)}
</div>
${slices(report)}
${casesSection(report, place, allTrials)}
</section>`
}

/** Half of the answers took less, and nine of ten. */
function latencyText({ cases }: EvalReport): string {
  const times = cases
    .filter(({ status, isCached }) => status !== 'not-run' && !isCached)
    .map(({ durationMs }) => durationMs)
    .sort((a, b) => a - b)
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
  return times.length === 0 ? '' : `; a trial ${seconds(at(0.5))} (median), ${seconds(at(0.9))} (nine of ten)`
}

function scorerCharts({ cases, metrics, hard }: EvalReport): Markup[] {
  const scores = new Map<string, number[]>()
  for (const { name, score } of cases.flatMap((result) => result.scores)) {
    if (score === null) continue
    const known = scores.get(name)
    if (known) known.push(score)
    else scores.set(name, [score])
  }
  return [...scores].map(([name, values]) => {
    const mean = metrics[`score.${name}`]
    const rule = hard.includes(name) ? ', tolerates no miss' : ''
    return html`<figure><figcaption>${name}${mean === undefined ? '' : ` ${rounded(mean)}`}${rule}</figcaption>${histogram(`Scores of ${name}`, values)}</figure>`
  })
}

/** By tag; a run without tags has no slices. */
function slices({ cases }: EvalReport): Markup | undefined {
  const byTag = new Map<string, { passed: number; total: number }>()
  for (const { case: testCase, status } of cases) {
    if (status === 'not-run') continue
    for (const tag of testCase.tags ?? []) {
      const counts = byTag.get(tag) ?? { passed: 0, total: 0 }
      byTag.set(tag, { passed: counts.passed + (status === 'passed' ? 1 : 0), total: counts.total + 1 })
    }
  }
  if (byTag.size === 0) return undefined
  const rows = [...byTag].sort(([, a], [, b]) => a.passed / a.total - b.passed / b.total)
  return html`<h3>By tag</h3><div class="scroll"><table><thead><tr><th scope="col">Tag</th><th scope="col" class="number">Passed</th><th scope="col">Share</th></tr></thead><tbody>${rows.map(
    ([tag, { passed, total }]) =>
      html`<tr><th scope="row">${tag}</th><td class="number">${passed} of ${total}</td><td>${shareBar(tag, passed / total)}</td></tr>`,
  )}</tbody></table></div>`
}

function trendSection({ suite, runs }: SuiteTrend, place: number): Markup {
  const line = runs.filter(({ counts, value }) => counts && value !== undefined).toReversed()
  return html`<section aria-labelledby="trend-${place}">
<h2 id="trend-${place}">${suite}: how it went</h2>
${
  line.length > 1
    ? html`<div class="charts"><figure><figcaption>${line.at(-1)?.metric ?? 'value'}, oldest first; a square is where a prompt changed</figcaption>${course(
        `How ${suite} went`,
        line.map(({ value = 0, isBreak, changed }) => ({ value, isBreak, isMarked: changed.length > 0 })),
      )}</figure></div>`
    : undefined
}
<div class="scroll"><table><thead><tr><th scope="col">When</th><th scope="col" class="number">Value</th><th scope="col" class="number">Change</th><th scope="col">What changed</th></tr></thead><tbody>${runs.map(
    ({ run, value, change, changed, model, isBreak, problem }) =>
      html`<tr><th scope="row"><time datetime="${new Date(run.startedAt).toISOString()}">${when(run.startedAt)}</time><br><code class="soft">${run.id.slice(0, 12)}</code></th><td class="number">${value === undefined ? '' : rounded(value)}</td><td class="number">${change === undefined ? '' : signedNumber(change)}</td><td>${[
        ...(problem === undefined ? [] : [`does not count: ${problem}`]),
        ...(isBreak ? ['another dataset or metric'] : []),
        ...changed.map(describeChange),
        ...(model ? [`model ${model.from ?? 'unknown'} -> ${model.to ?? 'unknown'}`] : []),
      ].map((text) => html`<div>${text}</div>`)}</td></tr>`,
  )}</tbody></table></div>
</section>`
}

const signedNumber = (value: number): string =>
  `${value > 0 ? '+' : value < 0 ? '−' : '±'}${rounded(Math.abs(value))}`
