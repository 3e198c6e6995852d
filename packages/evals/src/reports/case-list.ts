import type { EvalReport } from '../report.ts'
import { seconds } from '../report-facts.ts'
import type { CaseResult } from '../runner.ts'
import type { ToolCall } from '../target.ts'
import { rounded } from '../words.ts'
import { type CaseGroup, groupCases } from './case-groups.ts'
import { html, type Markup } from './markup.ts'

/** Characters of answers that a page may hold in all: more than that is slow to open. */
const PAGE_BUDGET = 8_000_000
const MOST_ANSWER = 6000
const LEAST_ANSWER = 200
const MOST_CALL = 600

/** Every case with its trials, the worst first; each opens. */
export function casesSection({ cases }: EvalReport, place: number, allTrials: number): Markup {
  const most = Math.max(LEAST_ANSWER, Math.min(MOST_ANSWER, Math.floor(PAGE_BUDGET / Math.max(1, allTrials))))
  const groups = groupCases(cases).toSorted((a, b) => rank(a) - rank(b))
  return html`<h3 id="cases-${place}">Cases</h3>
${groups.map((group) => caseDetails(group, most))}`
}

/** What needs a look first; a sort keeps the dataset's order among equals. */
const rank = ({ status, passed, trials }: CaseGroup): number =>
  ['error', 'failed', 'not-run', 'passed'].indexOf(status) + passed / (trials.length + 1)

function caseDetails({ id, status, passed, trials, why, tags }: CaseGroup, most: number): Markup {
  const count = trials.length > 1 ? `${passed}/${trials.length} ` : ''
  const [first] = trials
  return html`<details><summary><span class="${status}">${count}${SHORT[status]}</span><b>${id}</b><span class="why soft">${shortened(why.join('; '), 200)}</span></summary><div>
${tags.length > 0 ? html`<p class="soft">Tags: ${tags.join(', ')}</p>` : undefined}
${first ? question(first) : undefined}
${trials.map((trial) => trialPart(trial, trials.length, most))}
</div></details>`
}

const SHORT = { passed: 'passed', failed: 'failed', error: 'error', 'not-run': 'not run' } as const

function question({ case: { input, turns, expected } }: CaseResult): Markup {
  return html`<h4>${turns ? 'Turns' : 'Input'}</h4>${(turns ?? [input ?? '']).map((text) => html`<pre>${text}</pre>`)}
${expected === undefined ? undefined : html`<h4>Expected</h4><pre>${asText(expected, MOST_CALL)}</pre>`}`
}

function trialPart(trial: CaseResult, count: number, most: number): Markup {
  const { status, scores, error, result, durationMs, costUsd, retries, isCached } = trial
  const facts = [
    ...(count > 1 ? [`Trial ${trial.trial + 1}`] : []),
    SHORT[status],
    ...(status === 'not-run' ? [] : [seconds(durationMs)]),
    ...(costUsd === undefined ? [] : [`$${costUsd.toFixed(4)}`]),
    ...(retries === undefined ? [] : [`asked again ${retries} ${retries === 1 ? 'time' : 'times'}`]),
    ...(isCached ? ['an answer of an earlier run'] : []),
  ]
  return html`<div class="trial ${status}"><p><b>${facts.join(' · ')}</b></p>
${error ? html`<p>${error.kind} error: ${error.message}</p>` : undefined}
${
  scores.length > 0
    ? html`<ul class="scores">${scores.map(
        ({ name, score, reason }) =>
          html`<li><b>${name} ${score === null ? '–' : rounded(score)}</b>${reason === undefined ? '' : ` ${shortened(reason, 500)}`}</li>`,
      )}</ul>`
    : undefined
}
${result && result.output !== '' ? html`<pre>${shortened(result.output, most)}</pre>` : undefined}
${result && result.toolCalls.length > 0 ? html`<h4>Tool calls</h4><ol>${result.toolCalls.map(callItem)}</ol>` : undefined}
</div>`
}

const callItem = ({ agent, name, arguments: given, result }: ToolCall): Markup =>
  html`<li>${agent} → <b>${name}</b><pre>${asText(given, MOST_CALL)}</pre>${result === undefined ? undefined : html`<pre>${asText(result, MOST_CALL)}</pre>`}</li>`

function asText(value: unknown, most: number): string {
  if (typeof value === 'string') return shortened(value, most)
  try {
    return shortened(JSON.stringify(value, null, 1) ?? '', most)
  } catch {
    return 'something that JSON cannot say'
  }
}

const shortened = (text: string, most: number): string =>
  text.length > most
    ? `${text.slice(0, most)}… (${text.length - most} characters more, in the run's table)`
    : text
