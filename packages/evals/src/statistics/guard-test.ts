/** Which side of a rollout an observation is of. */
export type Arm = 'new' | 'main'

export interface GuardOptions {
  /** How much worse than the main version is still good enough, 0 < δ < 1. */
  readonly margin: number
  /** Chance of ever rolling back a version that is no worse than that. Default 0.05. */
  readonly alpha?: number
}

export interface GuardEvidence {
  /** True once the new version is worse by more than the margin; it stays so. */
  readonly isWorse: boolean
  /** What a stake of 1 on "it is worse" was at most; `1 / alpha` decides. */
  readonly stake: number
  /** What it is now: of the pairs alone, in whatever order they came. */
  readonly stakeNow: number
  /** Pairs that were compared; observations that have no partner yet wait. */
  readonly pairs: number
  readonly new: ArmSummary
  readonly main: ArmSummary
}

export interface ArmSummary {
  readonly count: number
  /** 0 when there is none. */
  readonly mean: number
}

export interface GuardTest {
  /** @throws {RangeError} a value that is not in 0…1 */
  observe(arm: Arm, value: number): GuardEvidence
  evidence(): GuardEvidence
}

/** How boldly it is bet, as shares of the boldest bet that cannot lose more than everything. */
const BOLDNESS = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 0.95]

/**
 * A test that may be looked at after every observation. The first observation of the new version is paired with the first of
 * the main one, the second with the second, and so on; each pair is a bet on "worse by more than the margin". If it is not,
 * the stake is a supermartingale, and it ever reaches `1 / alpha` with a chance of at most `alpha` (Ville 1939), however
 * often one looks.
 *
 * I. Waudby-Smith & A. Ramdas, "Estimating means of bounded random variables by betting", J. R. Stat. Soc. B 86 (2024), with
 * bets mixed over a fixed grid. Valid while the two means stay as they are, and whatever the distributions.
 *
 * @throws {RangeError} a margin or an alpha that is not between 0 and 1
 */
export function createGuardTest({ margin, alpha = 0.05 }: GuardOptions): GuardTest {
  for (const [name, value] of Object.entries({ margin, alpha }))
    if (!(value > 0 && value < 1)) throw new RangeError(`${name} must be above 0 and below 1, not ${value}`)
  const waiting: Record<Arm, number[]> = { new: [], main: [] }
  const taken: Record<Arm, number> = { new: 0, main: 0 }
  const sums: Record<Arm, { count: number; total: number }> = {
    new: { count: 0, total: 0 },
    main: { count: 0, total: 0 },
  }
  // As logarithms: a stake that a long good time has made tiny must be able to grow again.
  const logStakes = BOLDNESS.map(() => -Math.log(BOLDNESS.length))
  let pairs = 0
  let stakeNow = 1
  let highest = 1

  /** `loss`: main less new, in −1 … 1. Not worse: its mean is the margin or less. */
  function bet(loss: number): void {
    let stake = 0
    for (const [i, boldness] of BOLDNESS.entries()) {
      const log = (logStakes[i] as number) + Math.log1p((boldness / (1 + margin)) * (loss - margin))
      logStakes[i] = log
      stake += Math.exp(log)
    }
    pairs++
    stakeNow = stake
    highest = Math.max(highest, stake)
  }

  const summary = (arm: Arm): ArmSummary => {
    const { count, total } = sums[arm]
    return { count, mean: count === 0 ? 0 : total / count }
  }
  const evidence = (): GuardEvidence => ({
    isWorse: highest >= 1 / alpha,
    stake: highest,
    stakeNow,
    pairs,
    new: summary('new'),
    main: summary('main'),
  })
  const next = (arm: Arm): number | undefined => waiting[arm][taken[arm]]

  return {
    evidence,
    observe(arm, value) {
      if (!(value >= 0 && value <= 1)) throw new RangeError(`an observation is between 0 and 1, not ${value}`)
      sums[arm].count++
      sums[arm].total += value
      waiting[arm].push(value)
      for (;;) {
        const ours = next('new')
        const theirs = next('main')
        if (ours === undefined || theirs === undefined) break
        taken.new++
        taken.main++
        bet(theirs - ours)
      }
      for (const one of ['new', 'main'] as const)
        if (taken[one] > 1_000) {
          waiting[one].splice(0, taken[one])
          taken[one] = 0
        }
      return evidence()
    },
  }
}
