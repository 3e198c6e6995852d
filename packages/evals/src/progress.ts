import type { EvalDeps } from './run-eval.ts'
import type { CaseResult } from './runner.ts'

/** Tells how far a run is, at once and after each trial. */
export function createProgress(
  suite: string,
  total: number,
  { now, onProgress }: Pick<EvalDeps, 'now' | 'onProgress'>,
): (result: CaseResult, isKnown: boolean) => void {
  const startedAt = now()
  const counts = { passed: 0, failed: 0, errors: 0 }
  let costUsd: number | undefined
  let asked = 0
  let left = total
  const tell = () =>
    onProgress?.({
      ...{ suite, total, ...counts },
      ...(costUsd === undefined ? {} : { costUsd }),
      ...(asked === 0 ? {} : { leftMs: ((now() - startedAt) / asked) * left }),
    })
  tell()
  return (result, isKnown) => {
    const { status } = result
    if (status === 'not-run') return
    counts[status === 'error' ? 'errors' : status]++
    left--
    // What was known before took no time now.
    if (!isKnown && !result.isCached) asked++
    if (result.costUsd !== undefined) costUsd = (costUsd ?? 0) + result.costUsd
    tell()
  }
}
