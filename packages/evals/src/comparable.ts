import type { EvalRun, EvalRunPrompt } from './eval-run.ts'

/** What two runs may differ in, beside the candidate. */
export type Aspect = 'run' | 'suite' | 'dataset' | 'target' | 'estimand' | 'model' | 'judge' | 'prompts'

export interface Difference {
  readonly aspect: Aspect
  /** In words for people. */
  readonly text: string
}

/**
 * Why the difference between two runs cannot be put down to the candidate: all else must be the same, and be said.
 * @param prompt - The prompt whose text is the candidate; without it any one prompt may differ.
 * @returns One line for each reason; empty when they are comparable.
 */
export const whyNotComparable = (candidate: EvalRun, baseline: EvalRun, prompt?: string): string[] =>
  differencesOf(candidate, baseline, prompt).map(({ text }) => text)

/** The same, with what each reason is about. */
export function differencesOf(candidate: EvalRun, baseline: EvalRun, prompt?: string): Difference[] {
  const texts: readonly (readonly [Aspect, readonly string[]])[] = [
    ['run', candidate.id === baseline.id ? [`both are the run ${candidate.id}`] : []],
    ['suite', must('suite', candidate.suite, baseline.suite)],
    ['dataset', must('dataset_digest', candidate.datasetDigest, baseline.datasetDigest)],
    ['target', must('target', candidate.target, baseline.target)],
    ['estimand', must('estimand', candidate.estimand, baseline.estimand)],
    // A target may not know its model, and not every suite has a judge.
    ['model', differ('model', candidate.model, baseline.model)],
    ['judge', differ('judge_model', candidate.judgeModel, baseline.judgeModel)],
    ['judge', judges(candidate.judgePrompts, baseline.judgePrompts)],
    ['prompts', prompts(candidate.prompts, baseline.prompts, prompt)],
  ]
  return texts.flatMap(([aspect, reasons]) => reasons.map((text) => ({ aspect, text })))
}

function must(what: string, candidate: string | undefined, baseline: string | undefined): string[] {
  const silent = [
    ...(candidate === undefined ? ['the candidate'] : []),
    ...(baseline === undefined ? ['the baseline'] : []),
  ]
  return silent.length > 0
    ? [`${silent.join(' and ')} ${silent.length > 1 ? 'do' : 'does'} not say ${what}`]
    : differ(what, candidate, baseline)
}

const differ = (what: string, candidate: string | undefined, baseline: string | undefined): string[] =>
  candidate === baseline
    ? []
    : [`${what} differs: ${candidate ?? 'not said'} (candidate), ${baseline ?? 'not said'} (baseline)`]

type Prompts = Readonly<Record<string, EvalRunPrompt>>

const namesOf = (a: Prompts, b: Prompts): string[] =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()

/** Without a digest nobody knows which text it was: numbers start again when a prompt is made anew. */
function difference(name: string, candidate: Prompts, baseline: Prompts): string | undefined {
  const [ours, theirs] = [candidate[name], baseline[name]]
  if (!ours || !theirs) return `only the ${ours ? 'candidate' : 'baseline'} used ${name}`
  if (ours.digest === undefined || theirs.digest === undefined)
    return `${name}: the ${ours.digest === undefined ? 'candidate' : 'baseline'} does not say its digest`
  return ours.digest === theirs.digest
    ? undefined
    : `${name} differs: ${shown(ours)} (candidate), ${shown(theirs)} (baseline)`
}

const shown = ({ version, digest = '' }: EvalRunPrompt): string =>
  `${version === undefined ? '' : `v${version} `}${digest.slice(0, 12)}`

const judges = (candidate: Prompts, baseline: Prompts): string[] =>
  namesOf(candidate, baseline).flatMap((name) => {
    const found = difference(name, candidate, baseline)
    return found === undefined ? [] : [`judge's prompt ${found}`]
  })

function prompts(candidate: Prompts, baseline: Prompts, prompt: string | undefined): string[] {
  const found = namesOf(candidate, baseline).flatMap((name) => {
    const text = difference(name, candidate, baseline)
    return text === undefined ? [] : [{ name, text }]
  })
  if (prompt === undefined) return found.length > 1 ? found.map(({ text }) => text) : []
  const used = [
    ...(candidate[prompt]?.digest === undefined
      ? [`the candidate does not say which text of ${prompt} it used`]
      : []),
    ...(baseline[prompt]?.digest === undefined
      ? [`the baseline does not say which text of ${prompt} it used`]
      : []),
  ]
  return [...used, ...found.filter(({ name }) => name !== prompt).map(({ text }) => text)]
}
