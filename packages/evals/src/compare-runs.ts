import type { Comparison } from './compare.ts'
import type { EvalRun } from './eval-run.ts'
import type { GateDecision } from './gate.ts'
import type { GateOutcome } from './paired.ts'
import type { PromptChange } from './prompt-changes.ts'

/** What changed in one metric; `better` and `worse` are counted in its direction, `difference` is not turned. */
export interface MetricComparison extends Comparison {
  /** Which way is better. */
  readonly direction: 'higher' | 'lower'
  /** Plain means over the cases that both runs judged, trials averaged inside each. */
  readonly candidate: number
  readonly baseline: number
}

/** One case whose trials came out otherwise in one metric. */
export interface ChangedCase {
  readonly id: string
  /** `pass_rate` or `score.<scorer>`. */
  readonly metric: string
  readonly change: 'better' | 'worse'
  /** One value a trial. */
  readonly baseline: readonly number[]
  readonly candidate: readonly number[]
}

/** Two runs of one suite, case by case. */
export interface RunComparison {
  /** As the candidate says it. */
  readonly suite: string
  readonly candidate: EvalRun
  readonly baseline: EvalRun
  /**
   * `pass`: no worse by the suite's margins. `fail`: worse. `inconclusive`: too little evidence. `undecided`: the runs
   * are not comparable, or one is no evidence; `problems` say why.
   */
  readonly outcome: GateOutcome | 'undecided'
  readonly exitCode: 0 | 1 | 2
  /** Why the two runs are not comparable, or no evidence. */
  readonly problems: readonly string[]
  /** What else a reader should know. */
  readonly notes: readonly string[]
  readonly prompts: readonly PromptChange[]
  /** By metric; p-values hold for all of them together (Holm). */
  readonly metrics: Readonly<Record<string, MetricComparison>>
  /** Cases that changed, metric by metric, the worst first. */
  readonly cases: readonly ChangedCase[]
  /** Cases that only one of the runs says something of. */
  readonly unpaired: readonly string[]
  /** By the suite's rules as the candidate logged them; absent where they are not known. */
  readonly gates?: GateDecision
}
