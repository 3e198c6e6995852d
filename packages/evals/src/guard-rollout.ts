import { EvalFailure } from './errors.ts'
import { createLiveGuard, type GuardDeps, type GuardLook, type GuardOptions } from './live-guard.ts'
import { pause } from './pause.ts'

export interface GuardRun extends GuardOptions {
  /** Between two looks, in milliseconds. */
  readonly intervalMs: number
  /** One look, and no more. */
  readonly once?: boolean | undefined
  readonly signal: AbortSignal
  /** Hears of each look at a rollout. */
  readonly onLook?: ((look: GuardLook) => void) | undefined
  /** Hears of an outage; the guard goes on. */
  readonly onTrouble?: ((message: string) => void) | undefined
}

/** 0: the rollout ended, is still fine (`once`), or the signal came. 1: it was rolled back. 2: nobody can tell. */
export interface GuardEnd {
  readonly exitCode: 0 | 1 | 2
  readonly look?: GuardLook
  readonly problem?: string
}

/** Looks until the rollout ends, or has to be ended. Before there is one it waits. */
export async function guardRollout(run: GuardRun, deps: GuardDeps): Promise<GuardEnd> {
  const { intervalMs, once = false, signal } = run
  const guard = createLiveGuard(run, deps)
  let watched = false
  let last: GuardLook | undefined
  while (!signal.aborted) {
    try {
      const look = await guard.look()
      if (look.state === 'no-rollout') {
        if (once || watched) return { exitCode: 0, look: last ?? look }
      } else {
        watched = true
        last = look
        run.onLook?.(look)
        if (look.state === 'rolled-back') return { exitCode: 1, look }
        if (once) return withoutObservations(look, run.metric) ?? { exitCode: 0, look }
      }
    } catch (error) {
      if (!(error instanceof EvalFailure)) throw error
      // An outage heals; a refusal or a metric that is none does not.
      if (once || error.code !== 'INFRASTRUCTURE') return { exitCode: 2, problem: error.message }
      run.onTrouble?.(error.message)
    }
    await pause(intervalMs, signal)
  }
  return { exitCode: 0, ...(last && { look: last }) }
}

/** A misspelt metric would be fine for ever. */
function withoutObservations(look: GuardLook, metric: string): GuardEnd | undefined {
  const silent = look.arms.filter(({ seen, main }) => seen.count === 0 || main.count === 0)
  if (look.arms.length > 0 && silent.length === 0) return undefined
  const which = silent.flatMap(({ version, seen, main }) => [
    ...(main.count === 0 ? [`v${look.mainVersion}`] : []),
    ...(seen.count === 0 ? [`v${version}`] : []),
  ])
  const problem =
    look.arms.length === 0
      ? `no version shares the rollout with another text: there is nothing to watch (${look.notes.join('; ')})`
      : `no observation of ${metric} for ${[...new Set(which)].join(', ')}`
  return { exitCode: 2, look, problem }
}
