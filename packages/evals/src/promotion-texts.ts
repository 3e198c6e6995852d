import { hasCode, isOutage } from '@promptkeep/client'
import { LIMIT } from '@promptkeep/client/protocol'
import type { JudgedRun } from './judge-suite.ts'
import { answerSummary } from './promotion.ts'
import type { Place } from './promotion-place.ts'

/** What a reader of a promotion on stock MLflow must know. */
export const STOCK_LIMITS =
  'the alias is read, compared and written, not compared and set in one step; its history is the last move, in a tag of the prompt; nobody checks who wrote a verdict'

/** What the change keeps: what was said, and what the suites said. */
export function reasonOf(
  given: string | undefined,
  passed: readonly JudgedRun[],
  baseline: number | undefined,
): string {
  const suites = passed.map(({ suite, answers }) =>
    answers.length === 0 ? `${suite}: thresholds hold` : `${suite}: ${answers.map(answerSummary).join(', ')}`,
  )
  const runs = passed.slice(1).map(({ run }) => run)
  const against = baseline === undefined ? 'first promotion' : `no worse than v${baseline}`
  const parts = [
    ...(given?.trim() ? [given.trim()] : []),
    `${against}; ${suites.join('; ')}`,
    ...(runs.length > 0 ? [`further runs: ${runs.join(', ')}`] : []),
  ]
  return cut(parts.join(' | '))
}

/** As much as a change keeps. */
export const cut = (text: string): string => {
  const characters = [...text]
  return characters.length <= LIMIT.message ? text : `${characters.slice(0, LIMIT.message - 1).join('')}…`
}

export function whyNotMoved(
  error: Error,
  {
    name,
    to,
    baseline,
    current,
  }: Pick<Place, 'name' | 'to' | 'baseline'> & { readonly current: number | null | undefined },
): string {
  if (current !== undefined)
    return `${to} of ${name} is ${current === null ? 'unset' : `at v${current}`} now, and was ${baseline ? `at v${baseline.version}` : 'unset'} when the candidate was judged: somebody else moved it, and nothing was moved here`
  if (isOutage(error))
    return `whether ${to} of ${name} was moved is not known, for the answer did not come (${error.message}): see promptkeep history ${name}`
  const who = hasCode(error, 'FORBIDDEN', 'UNAUTHENTICATED')
    ? ' (the move is made with PROMPTKEEP_PROMOTER_TOKEN, else MLFLOW_TRACKING_TOKEN)'
    : ''
  return `nothing was moved: ${error.message}${who}`
}
