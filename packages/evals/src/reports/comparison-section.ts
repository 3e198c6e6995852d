import type { RunComparison } from '../compare-runs.ts'
import { describeChange } from '../prompt-changes.ts'
import { rounded } from '../words.ts'
import { differences, interval } from './charts.ts'
import { html, type Markup } from './markup.ts'

/** Shown of the cases that changed. */
const MOST_CASES = 200

/** Two runs: what their gates say, metric by metric, and which cases changed. */
export function comparisonSection(comparison: RunComparison, place: number): Markup {
  const { suite, candidate, baseline, outcome, problems, notes, prompts, gates, cases, unpaired } = comparison
  return html`<section aria-labelledby="comparison-${place}">
<h2 id="comparison-${place}">${suite}: compared <span class="badge ${BADGE[outcome]}">${outcome}</span></h2>
${problems.length > 0 ? html`<ul class="reasons">${problems.map((problem) => html`<li>${problem}</li>`)}</ul>` : undefined}
<dl>
<dt>Candidate</dt><dd><code>${candidate.id}</code></dd>
<dt>Baseline</dt><dd><code>${baseline.id}</code></dd>
<dt>Prompts</dt><dd>${prompts.length > 0 ? prompts.map((change) => html`<div>${describeChange(change)}</div>`) : 'none differs'}</dd>
${notes.length > 0 ? html`<dt>Notes</dt><dd>${notes.map((note) => html`<div>${note}</div>`)}</dd>` : undefined}
</dl>
<div class="charts">${(gates?.answers ?? []).map(
    (answer) =>
      html`<figure><figcaption>${answer.metric}: ${answer.outcome}; ${answer.reason}</figcaption>${interval(`Difference in ${answer.metric}`, answer)}</figure>`,
  )}</div>
${metricTable(comparison)}
${cases.length > 0 ? caseTable(cases.slice(0, MOST_CASES), cases.length) : undefined}
${unpaired.length > 0 ? html`<p class="soft">Only in one of the runs: ${unpaired.slice(0, MOST_CASES).join(', ')}</p>` : undefined}
</section>`
}

const BADGE = { pass: 'passed', fail: 'failed', inconclusive: 'invalid', undecided: 'invalid' } as const

function metricTable({ metrics, cases }: RunComparison): Markup | undefined {
  const rows = Object.entries(metrics)
  if (rows.length === 0) return undefined
  return html`<h3>Metrics</h3><div class="scroll"><table><thead><tr><th scope="col">Metric</th><th scope="col" class="number">Baseline</th><th scope="col" class="number">Candidate</th><th scope="col" class="number">Better</th><th scope="col" class="number">Worse</th><th scope="col" class="number">Same</th><th scope="col" class="number">p</th></tr></thead><tbody>${rows.map(
    ([metric, { baseline, candidate, better, worse, same, pValue }]) =>
      html`<tr><th scope="row">${metric}</th><td class="number">${rounded(baseline)}</td><td class="number">${rounded(candidate)}</td><td class="number">${better}</td><td class="number">${worse}</td><td class="number">${same}</td><td class="number">${rounded(pValue)}</td></tr>`,
  )}</tbody></table></div>
<p class="soft">p: how often as much would change if nothing had; exact, and for all metrics together (Holm).</p>
<div class="charts">${rows.map(([metric, { same, direction }]) => {
    const changed = cases.filter((one) => one.metric === metric)
    if (changed.length === 0) return undefined
    const by = changed.map(
      ({ baseline, candidate }) => (mean(candidate) - mean(baseline)) * (direction === 'lower' ? -1 : 1),
    )
    const values = [...by, ...Array.from({ length: same }, () => 0)]
    return html`<figure><figcaption>${metric}, case by case: up is better</figcaption>${differences(`Changes in ${metric}`, values)}</figure>`
  })}</div>`
}

const caseTable = (cases: RunComparison['cases'], all: number): Markup =>
  html`<h3>Cases that changed</h3><div class="scroll"><table><thead><tr><th scope="col">Case</th><th scope="col">Metric</th><th scope="col">Change</th><th scope="col" class="number">Baseline</th><th scope="col" class="number">Candidate</th></tr></thead><tbody>${cases.map(
    ({ id, metric, change, baseline, candidate }) =>
      html`<tr><th scope="row">${id}</th><td>${metric}</td><td class="${change === 'worse' ? 'failed' : 'passed'}">${change}</td><td class="number">${rounded(mean(baseline))}</td><td class="number">${rounded(mean(candidate))}</td></tr>`,
  )}</tbody></table></div>${all > cases.length ? html`<p class="soft">and ${all - cases.length} more</p>` : undefined}`

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
