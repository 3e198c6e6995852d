/** One case that both runs judged, for one metric. */
export interface PairedCase {
  readonly id: string
  /** Cases of one cluster count as one. Default: each case is its own. */
  readonly cluster?: string | undefined
  /** Default 1. */
  readonly weight?: number | undefined
  readonly tags?: readonly string[] | undefined
  /** One value from 0 to 1 for each trial; at least one. */
  readonly candidate: readonly number[]
  readonly baseline: readonly number[]
}

/**
 * What a comparison is about. `these-cases`: the cases are all there is, chance is the model's, and trials are the sample,
 * stratified by case. `such-cases`: the cases are a sample of those to come.
 */
export type Estimand = 'these-cases' | 'such-cases'

/** A question to the evidence: is the candidate no worse than the baseline by more than a margin? */
export interface GateQuestion {
  readonly metric: string
  /** Which way is better. */
  readonly direction: 'higher' | 'lower'
  /** How much worse is still good enough, 0 < δ < 1. */
  readonly margin: number
  readonly estimand: Estimand
  /** Suite and target always answer the same: then any regression fails, without a test. */
  readonly deterministic: boolean
}

/** `inconclusive`: the evidence is too thin to say; `needed` says how much more it would take. */
export type GateOutcome = 'pass' | 'fail' | 'inconclusive'

export interface GateAnswer {
  readonly metric: string
  readonly outcome: GateOutcome
  /** Why, in words for people, with the question that was answered. */
  readonly reason: string
  /** How it was decided. */
  readonly method: 'deterministic' | 'score-test' | 'betting' | 'bootstrap'
  readonly estimand: Estimand
  /** What counts as one observation: clusters of cases, or trials. */
  readonly n: number
  /** The least `n` by which a margin of this size can be shown at all. */
  readonly minimum: number
  readonly baseline: number
  readonly candidate: number
  /** Candidate less baseline, so that more is better whatever the direction. */
  readonly difference: number
  /** One-sided 95 % bounds of `difference`; absent where nothing was tested. */
  readonly lower?: number
  readonly upper?: number
  /** Of "worse by the margin or more"; absent where nothing was tested. */
  readonly pValue?: number
  readonly margin: number
  /** About how much more evidence would do, if the difference stays as it is; absent unless inconclusive. */
  readonly needed?: { readonly cases?: number; readonly trials?: number }
  /** By tag. */
  readonly slices: readonly SliceAnswer[]
  /** Ids of the cases that got worse, the worst first. */
  readonly worse: readonly string[]
  readonly better: readonly string[]
}

export interface SliceAnswer {
  readonly tag: string
  readonly n: number
  readonly difference: number
  /** `small`: too few cases to say; shown, and not judged. */
  readonly outcome: 'pass' | 'fail' | 'small'
}
