import { hasCode, isOutage, type Prompt, type Registry } from '@promptkeep/client'
import type { Admin } from '@promptkeep/client/admin'
import { readRollout, type Weights } from '@promptkeep/client/protocol'
import { endRollout } from './end-rollout.ts'
import { EvalFailure, messageOf } from './errors.ts'
import { LIVE_EXPERIMENT } from './live-metric.ts'
import { type Observations, readObservations, summaryOf } from './observations.ts'
import { findRolloutStart } from './rollout-start.ts'
import { type ArmSummary, createGuardTest, type GuardEvidence } from './statistics/guard-test.ts'
import type { Tracking } from './tracking-port.ts'

export interface GuardOptions {
  /** The prompt. */
  readonly name: string
  /** Default `production`. */
  readonly alias?: string | undefined
  /** Of runs that say which version they served; observations from 0 to 1, more is better. */
  readonly metric: string
  /** How much worse than the main version is still good enough, 0 < δ < 1. */
  readonly margin: number
  /** Chance of ever rolling back a version that is no worse than that. Default 0.05. */
  readonly alpha?: number | undefined
  /** MLflow experiment of the runs. Default `promptkeep-live`. */
  readonly experiment?: string | undefined
  /** Observations younger than this may have older ones still on their way, and wait. Milliseconds, default 5000. */
  readonly settleMs?: number | undefined
}

export interface GuardDeps {
  /** Strict and without a cache. */
  readonly registry: Pick<Registry, 'load'>
  readonly admin: Pick<Admin, 'capabilities' | 'changes' | 'rollout' | 'rollback'>
  readonly tracking: Pick<Tracking, 'findRuns' | 'metricHistory'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** One version against the main one. */
export interface GuardedArm {
  readonly version: number
  readonly digest: string
  /** Percent. */
  readonly weight: number
  readonly seen: ArmSummary
  readonly main: ArmSummary
  /** Pairs of observations that were compared. */
  readonly pairs: number
  /** What a stake of 1 on "worse by more than the margin" is now; `needed` decides. */
  readonly stake: number
  readonly needed: number
}

/** What one look came to. */
export interface GuardLook {
  /** `no-rollout`: the alias says one version. `watching`: nothing speaks against a version so far. */
  readonly state: 'no-rollout' | 'watching' | 'rolled-back'
  readonly mainVersion?: number
  readonly arms: readonly GuardedArm[]
  readonly notes: readonly string[]
  /** Of the rollback. */
  readonly reason?: string
}

interface Side {
  readonly version: number
  readonly digest: string
}

/**
 * Watches a rollout by a metric that apps log, and ends it by itself when a version is worse than the main one by more than
 * the margin. Every look takes all observations since the rollout began: each counts once, and a guard that was restarted
 * comes to the same. A process's first observation of one version is paired with its first of the other, and so on. So what
 * comes late adds pairs and changes none, and the stake, which the order of pairs does not change, keeps its promise.
 */
export function createLiveGuard(options: GuardOptions, deps: GuardDeps): { look(): Promise<GuardLook> } {
  const { name, alias = 'production', metric, margin, alpha = 0.05 } = options
  const { experiment = LIVE_EXPERIMENT, settleMs = 5000 } = options
  const { registry, tracking, now } = deps
  createGuardTest({ margin, alpha }) // refuses what cannot be tested, before anybody is asked
  const observations = readObservations({ name, metric, experiment, tracking })

  async function look(): Promise<GuardLook> {
    const main = await asked(registry.load(name, { alias }))
    const weights = readRollout(main.tags, alias, main.version)
    if (!weights) return { state: 'no-rollout', mainVersion: main.version, arms: [], notes: [] }
    const notes: string[] = []
    const since = await asked(findRolloutStart(deps.admin, { name, alias, main: main.version, weights }))
    if (since === undefined)
      notes.push('nobody recorded when the rollout began: every observation of these versions counts')
    const sides = await sidesOf(weights, main, notes)
    const period = { since: since ?? 0, until: now() - settleMs }
    const ours = await observations(main, period)
    const arms: GuardedArm[] = []
    for (const side of sides) {
      const theirs = await observations(side, period)
      // Several versions, several chances of a false alarm: they share one.
      const share = alpha / sides.length
      const { pairs, stakeNow } = compare(ours, theirs, { margin, alpha: share })
      const weight = weights.get(side.version) ?? 0
      const means = { seen: summaryOf(theirs), main: summaryOf(ours) }
      arms.push({ ...side, weight, ...means, pairs, stake: stakeNow, needed: 1 / share })
    }
    const said = { mainVersion: main.version, arms, notes }
    const worst = arms.find(({ stake, needed }) => stake >= needed)
    if (!worst) return { ...said, state: 'watching' }
    const reason = reasonOf(worst, main.version)
    const current = await asked(registry.load(name, { alias }))
    if (current.digest !== main.digest || !isSame(readRollout(current.tags, alias, current.version), weights))
      return changedMeanwhile()
    try {
      await asked(endRollout(deps.admin, { name, alias, main: main.version, weights, reason }))
    } catch (error) {
      // Somebody moved the alias or ended the rollout just now: that is looked at anew, too.
      if (error instanceof EvalFailure && hasCode(error.cause, 'CONFLICT')) return changedMeanwhile()
      throw error
    }
    return { ...said, state: 'rolled-back', reason }

    function changedMeanwhile(): GuardLook {
      const note = 'the rollout was changed meanwhile: it is looked at anew'
      return { ...said, state: 'watching', notes: [...notes, note] }
    }
  }

  async function sidesOf(weights: Weights, main: Prompt, notes: string[]): Promise<Side[]> {
    const sides: Side[] = []
    for (const [version, weight] of weights) {
      if (version === main.version || weight === 0) continue
      try {
        const { digest } = await registry.load(name, { version })
        if (digest === main.digest) notes.push(`v${version} has the very text of v${main.version}`)
        else sides.push({ version, digest })
      } catch (error) {
        if (!hasCode(error, 'VERSION_NOT_FOUND')) throw failure(error)
        notes.push(`v${version} is deleted: whoever is to get it gets v${main.version}`)
      }
    }
    return sides
  }

  const reasonOf = ({ version, seen, main, pairs, stake, needed }: GuardedArm, mainVersion: number) =>
    `live guard: ${metric} of v${version} is ${rounded(seen.mean)} (n ${seen.count}), of v${mainVersion} ${rounded(main.mean)} (n ${main.count}): ` +
    `worse by more than ${margin} (stake ${rounded(stake)} of ${rounded(needed)} after ${pairs} pairs, chance of a false alarm ${rounded(1 / needed)}); ` +
    `all traffic goes to v${mainVersion}`

  return { look }
}

/** Pairs of one process each; what has no partner yet waits for it. */
function compare(
  ours: Observations,
  theirs: Observations,
  options: { readonly margin: number; readonly alpha: number },
): GuardEvidence {
  const test = createGuardTest(options)
  for (const [source, values] of theirs) {
    const others = ours.get(source) ?? []
    for (const [i, value] of values.slice(0, others.length).entries()) {
      test.observe('main', others[i] ?? 0)
      test.observe('new', value)
    }
  }
  return test.evidence()
}

const rounded = (value: number): string => String(Math.round(value * 1000) / 1000)

const isSame = (a: Weights | undefined, b: Weights): boolean =>
  a !== undefined && a.size === b.size && [...b].every(([version, weight]) => a.get(version) === weight)

async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw failure(error)
  }
}

function failure(error: unknown): unknown {
  if (error instanceof EvalFailure || !(error instanceof Error && 'code' in error)) return error
  const code = isOutage(error) ? 'INFRASTRUCTURE' : 'CONFIGURATION'
  return new EvalFailure(code, messageOf(error), { cause: error })
}
