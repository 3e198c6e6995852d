import type { Change } from '@promptkeep/client'
import type { GateAnswer, GateOutcome } from './paired.ts'

/** What one suite says about a candidate. */
export interface SuiteJudgement {
  readonly suite: string
  /**
   * `not-concerned`: the suite's cases do not use the prompt. `undecided`: there is no evidence, or none that can be
   * compared; `reasons` say why.
   */
  readonly outcome: GateOutcome | 'not-concerned' | 'undecided'
  readonly reasons: readonly string[]
  /** Id of the candidate's run. */
  readonly run?: string
  readonly baselineRun?: string
  /** Gate by gate, against the baseline; empty where there is none. */
  readonly answers: readonly GateAnswer[]
  /** Cases that got worse, the worst first, each once. */
  readonly worse: readonly string[]
}

/** What a promotion came to. */
export interface Promotion {
  readonly prompt: string
  /** Aliases. */
  readonly from: string
  readonly to: string
  /**
   * `promoted`: the alias was moved. `already-there`: it was there, by evidence. `would-promote`: it passed, and nobody asked
   * to move it.
   * `refused`: a suite says that it is worse, or not good enough. `inconclusive`: the evidence is too thin.
   * `undecided`: evidence is missing, stale, invalid or not comparable, or somebody could not be asked.
   */
  readonly outcome: 'promoted' | 'already-there' | 'would-promote' | 'refused' | 'inconclusive' | 'undecided'
  /** 0: it is there, with evidence or by force, or would be. 1: refused. 2: anything else. */
  readonly exitCode: 0 | 1 | 2
  readonly candidate?: { readonly version: number; readonly digest: string }
  /** What `to` said; absent when it was unset, or could not be asked. */
  readonly baseline?: { readonly version: number; readonly digest: string }
  readonly suites: readonly SuiteJudgement[]
  /** Why it is not there. */
  readonly problems: readonly string[]
  /** What else a reader should know. */
  readonly notes: readonly string[]
  /** `runs:/<id>` that the change carries. */
  readonly evidence?: string
  /** That the change carries, or would. */
  readonly reason?: string
  readonly change?: Change
  readonly forced: boolean
  readonly dryRun: boolean
  /** After a race that was lost: what `to` says now; `null`: unset. */
  readonly current?: number | null
}

/** The sum of what suites say: one that fails decides; then whatever is not decided; and at least one must pass. */
export function concludeSuites(
  suites: readonly SuiteJudgement[],
): 'pass' | 'fail' | 'inconclusive' | 'undecided' {
  const outcomes = suites.map(({ outcome }) => outcome)
  if (outcomes.includes('fail')) return 'fail'
  if (outcomes.includes('undecided')) return 'undecided'
  if (outcomes.includes('inconclusive')) return 'inconclusive'
  return outcomes.includes('pass') ? 'pass' : 'undecided'
}

/** A promotion as a person reads it, ending in a line break. */
export function formatPromotion(promotion: Promotion): string {
  const { prompt, from, to, outcome, candidate, baseline, suites, problems, notes, evidence, reason } =
    promotion
  const versions = candidate
    ? `v${candidate.version} (${from}) against ${baseline ? `v${baseline.version} (${to})` : `nothing: ${to} is unset`}`
    : `${from} -> ${to}`
  const { change, forced } = promotion
  return [
    `${prompt}: ${HEADLINES[outcome](promotion)}`,
    `  ${versions}`,
    ...suites.flatMap(suiteLines),
    ...problems.map((problem) => `  ! ${problem}`),
    ...notes.map((note) => `  note: ${note}`),
    ...(evidence === undefined ? [] : [`  evidence: ${evidence}`]),
    ...(reason === undefined || outcome === 'already-there' ? [] : [`  reason: ${reason}`]),
    ...(change?.seq === undefined ? [] : [`  change #${change.seq}${forced ? ', forced' : ''}`]),
    '',
  ].join('\n')
}

const HEADLINES: Readonly<Record<Promotion['outcome'], (promotion: Promotion) => string>> = {
  promoted: ({ to, candidate, forced }) =>
    `${forced ? 'FORCED' : 'PROMOTED'}: ${to} is at v${candidate?.version} now`,
  'already-there': ({ to, candidate }) =>
    `ALREADY THERE: ${to} is at v${candidate?.version}; nothing was moved`,
  'would-promote': ({ to, candidate, dryRun }) =>
    `WOULD PROMOTE: ${to} to v${candidate?.version} (${dryRun ? 'dry run: nothing was moved or written' : 'nothing was moved'})`,
  refused: ({ to }) => `REFUSED: ${to} stays where it is`,
  inconclusive: ({ to }) => `INCONCLUSIVE: ${to} stays where it is`,
  undecided: () => 'UNDECIDED: no promotion without evidence',
}

const SHOWN_CASES = 20

function suiteLines({ suite, outcome, reasons, answers, worse, run, baselineRun }: SuiteJudgement): string[] {
  const shown = worse.slice(0, SHOWN_CASES).join(', ')
  const more = worse.length > SHOWN_CASES ? ` and ${worse.length - SHOWN_CASES} more` : ''
  const runs = run === undefined ? '' : `  (run ${run}${baselineRun ? `, baseline ${baselineRun}` : ''})`
  return [
    `  ${suite}: ${outcome.replace('-', ' ')}${runs}`,
    ...answers.map((answer) => `    ${answerLine(answer)}`),
    ...reasons.map((reason) => `    ! ${reason}`),
    ...(worse.length > 0 ? [`    worse: ${shown}${more}`] : []),
  ]
}

const answerLine = ({ metric, baseline, candidate, difference, lower, margin, n, outcome }: GateAnswer) =>
  `${metric} ${number(baseline)} -> ${number(candidate)} (${signed(difference)}${
    lower === undefined ? '' : `, at least ${signed(lower)}`
  }; margin ${margin}, n ${n}): ${outcome}`

/** One gate in a change's reason. */
export const answerSummary = ({ metric, difference, lower, margin, n }: GateAnswer): string =>
  `${metric} ${signed(difference)}${lower === undefined ? '' : ` (at least ${signed(lower)}, margin ${margin})`} n=${n}`

const number = (value: number): string => String(Math.round(value * 1000) / 1000)
const signed = (value: number): string => {
  const text = number(value)
  return text.startsWith('-') || text === '0' ? text : `+${text}`
}

/** The same for a pull request. */
export function promotionMarkdown(promotion: Promotion): string {
  const { prompt, suites, problems, notes, evidence, reason } = promotion
  const cell = (text: string): string => text.replace(/[\\|`*_<>[\]]/g, '\\$&').replace(/\s+/g, ' ')
  const rows = suites.flatMap(({ suite, outcome, answers, worse }) =>
    (answers.length > 0 ? answers : [undefined]).map((answer, i) =>
      [
        i === 0 ? cell(suite) : '',
        answer === undefined ? outcome.replace('-', ' ') : `${cell(answer.metric)}: ${answer.outcome}`,
        answer === undefined ? '' : `${number(answer.baseline)} → ${number(answer.candidate)}`,
        answer?.lower === undefined ? '' : `${signed(answer.lower)} (margin ${answer.margin})`,
        answer === undefined ? '' : String(answer.n),
        i === 0 ? cell(worse.slice(0, SHOWN_CASES).join(', ')) : '',
      ].join(' | '),
    ),
  )
  const remarks = [
    ...suites.flatMap(({ suite, reasons }) => reasons.map((why) => `${suite}: ${why}`)),
    ...problems,
    ...notes,
  ]
  return [
    `### ${cell(prompt)}: ${cell(HEADLINES[promotion.outcome](promotion))}`,
    '',
    ...(rows.length > 0
      ? [
          '| suite | gate | baseline → candidate | at least | n | worse |',
          '|---|---|---|---|---|---|',
          ...rows.map((row) => `| ${row} |`),
          '',
        ]
      : []),
    ...(remarks.length > 0 ? [...remarks.map((remark) => `- ${cell(remark)}`), ''] : []),
    ...(evidence === undefined ? [] : [`Evidence: \`${evidence}\``, '']),
    ...(reason === undefined ? [] : [`Reason: ${cell(reason)}`, '']),
  ].join('\n')
}
