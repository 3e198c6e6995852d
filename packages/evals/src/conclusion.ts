import type { EvalReport } from './report.ts'

/** What several runs that belong together say as one. */
export interface Conclusion {
  /** 0: every gate passed, or every shard was run whole, which is no verdict yet. 1: a gate failed. 2: no verdict, which outweighs a failed gate: it may hide one. */
  readonly exitCode: 0 | 1 | 2
  /** Why there is no verdict although no run is `invalid`: which candidates none of them judged. Else empty. */
  readonly reasons: readonly string[]
}

type Judged = Pick<EvalReport, 'verdict' | 'candidates' | 'promptAlias'>

/**
 * Sums up the runs of one alias chain. A run that no candidate reached counts neither for nor against, as long as the
 * others judged every candidate; a candidate that none of them used was not judged, so there is no verdict.
 */
export function concludeEvals(reports: readonly Judged[]): Conclusion {
  const verdicts = reports.map(({ verdict }) => verdict)
  if (verdicts.includes('invalid') || reports.length === 0) return { exitCode: 2, reasons: [] }
  // What a part did not use another one may have: merged they are judged.
  if (verdicts.includes('shard')) return { exitCode: 0, reasons: [] }
  const reasons = unjudged(reports)
  if (reasons.length > 0) return { exitCode: 2, reasons }
  return { exitCode: verdicts.includes('failed') ? 1 : 0, reasons }
}

/** The same of one run alone. */
export const exitCodeOf = (report: Judged): 0 | 1 | 2 => concludeEvals([report]).exitCode

function unjudged(reports: readonly Judged[]): string[] {
  const [
    {
      promptAlias: [alias],
    } = { promptAlias: [] },
  ] = reports
  const all = new Map(reports.flatMap(({ candidates }) => Object.entries(candidates)))
  const isUsed = (name: string) => reports.some(({ candidates }) => (candidates[name]?.cases ?? 0) > 0)
  const unused = [...all].filter(([name]) => !isUsed(name))
  // Nobody made every prompt's `latest`, or what `production` serves, a candidate: one that was used is enough.
  if (['latest', 'production'].includes(alias ?? '') && unused.length < all.size) return []
  return unused.map(
    ([name, { version }]) => `no suite used ${name} v${version}, which has alias ${alias}: it was not judged`,
  )
}
