import { hasCode, isOutage, type Prompt, type Registry } from '@promptkeep/client'
import type { Admin } from '@promptkeep/client/admin'
import { readRollout, type Weights } from '@promptkeep/client/protocol'
import { endRollout } from './end-rollout.ts'
import { EvalFailure, messageOf } from './errors.ts'
import { findRolloutStart } from './rollout-start.ts'
import { type ArmSummary, createGuardTest } from './statistics/guard-test.ts'
import type { LoggedRun, MetricPoint, Tracking } from './tracking-port.ts'

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
  /** What a stake of 1 on "worse by more than the margin" was at most; `needed` decides. */
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

export const LIVE_EXPERIMENT = 'promptkeep-live'

/** Where a version's observations come from. */
interface Side {
  readonly version: number
  readonly digest: string
}

/**
 * Watches a rollout by a metric that apps log, and ends it by itself when a version is worse than the main one by more than
 * the margin. Every look replays all observations since the rollout began, in the order of their times: so each counts once,
 * and a guard that was restarted comes to the same.
 */
export function createLiveGuard(options: GuardOptions, deps: GuardDeps): { look(): Promise<GuardLook> } {
  const { name, alias = 'production', metric, margin, alpha = 0.05 } = options
  const { experiment = LIVE_EXPERIMENT, settleMs = 5000 } = options
  const { registry, tracking, now } = deps
  createGuardTest({ margin, alpha }) // refuses what cannot be tested, before anybody is asked
  /** Runs that ended say nothing more: each is read once. */
  const ended = new Map<string, readonly MetricPoint[]>()

  async function pointsOf(run: LoggedRun): Promise<readonly MetricPoint[]> {
    const known = ended.get(run.id)
    if (known) return known
    const points = await tracking.metricHistory(run.id, metric)
    if (run.endedAt !== undefined) ended.set(run.id, points)
    return points
  }

  /** In the one order that every replay has. */
  async function observationsOf({ version, digest }: Side, since: number): Promise<number[]> {
    const filter = [
      `params.\`prompt_digest.${name}\` = '${digest}'`,
      `params.\`prompt.${name}\` = 'v${version}'`,
    ]
    const found: (MetricPoint & { readonly run: string })[] = []
    let pageToken: string | undefined
    do {
      const page = await tracking.findRuns({ experiment, filter: filter.join(' and '), pageToken })
      for (const run of page.runs) {
        if (run.metrics[metric] === undefined) continue
        for (const point of await pointsOf(run)) found.push({ ...point, run: run.id })
      }
      pageToken = page.nextPageToken
    } while (pageToken !== undefined)
    const wrong = found.find(({ value }) => !(value >= 0 && value <= 1))
    if (wrong)
      throw new EvalFailure(
        'CONFIGURATION',
        `the run ${wrong.run} has ${wrong.value} for ${metric}: an observation is from 0 to 1`,
      )
    const until = now() - settleMs
    return found
      .filter(({ timestamp }) => timestamp >= since && timestamp <= until)
      .sort((a, b) => a.timestamp - b.timestamp || (a.run < b.run ? -1 : a.run > b.run ? 1 : a.step - b.step))
      .map(({ value }) => value)
  }

  async function look(): Promise<GuardLook> {
    const main = await asked(registry.load(name, { alias }))
    const weights = readRollout(main.tags, alias, main.version)
    if (!weights) return { state: 'no-rollout', mainVersion: main.version, arms: [], notes: [] }
    const notes: string[] = []
    const since = await asked(findRolloutStart(deps.admin, { name, alias, main: main.version, weights }))
    if (since === undefined)
      notes.push('nobody recorded when the rollout began: every observation of these versions counts')
    const sides = await sidesOf(weights, main, notes)
    const ours = await observationsOf(main, since ?? 0)
    const arms: GuardedArm[] = []
    for (const side of sides) {
      const theirs = await observationsOf(side, since ?? 0)
      // Several versions, several chances of a false alarm: they share one.
      const share = alpha / sides.length
      const test = createGuardTest({ margin, alpha: share })
      for (const value of ours) test.observe('main', value)
      for (const value of theirs) test.observe('new', value)
      const { pairs, stake, new: seen, main: mean } = test.evidence()
      arms.push({
        ...side,
        weight: weights.get(side.version) ?? 0,
        seen,
        main: mean,
        pairs,
        stake,
        needed: 1 / share,
      })
    }
    const said = { mainVersion: main.version, arms, notes }
    const worst = arms.find(({ stake, needed }) => stake >= needed)
    if (!worst) return { ...said, state: 'watching' }
    const reason = reasonOf(worst, main.version)
    const current = await asked(registry.load(name, { alias }))
    if (current.digest !== main.digest || !isSame(readRollout(current.tags, alias, current.version), weights))
      return {
        ...said,
        state: 'watching',
        notes: [...notes, 'the rollout was changed meanwhile: it is looked at anew'],
      }
    await asked(endRollout(deps.admin, { name, alias, main: main.version, weights, reason }))
    return { ...said, state: 'rolled-back', reason }
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
