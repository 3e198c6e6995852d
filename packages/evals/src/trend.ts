import type { PromptChange } from './compare-runs.ts'
import type { EvalRun } from './eval-run.ts'

/** One run in the course of a suite. */
export interface TrendPoint {
  readonly run: EvalRun
  /** Name of the main metric, as the run logged it; absent where it says none. */
  readonly metric?: string
  /** Value of the main metric, 0…1. */
  readonly value?: number
  readonly passRate?: number
  /** Whether it counts: complete, no shard, not marked invalid. Only such runs are in the line. */
  readonly counts: boolean
  /** Why it does not count. */
  readonly problem?: string
  /** `value` less that of the run before it that counts, on the same dataset; absent where there is none. */
  readonly change?: number
  /** Prompts with another version or text than in the run before it that counts. */
  readonly changed: readonly PromptChange[]
  /** Set when another model answered than in the run before it that counts. */
  readonly model?: { readonly from?: string; readonly to?: string }
  /** The dataset is not the one of the run before it that counts: their values are not compared. */
  readonly isOtherDataset: boolean
  /** In US dollars. */
  readonly costUsd?: number
}

/** The runs of one suite. */
export interface SuiteTrend {
  readonly suite: string
  /** Newest first. */
  readonly runs: readonly TrendPoint[]
  /** Whether older runs were left out. */
  readonly hasMore: boolean
}
