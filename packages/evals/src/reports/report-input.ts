import type { RunComparison } from '../compare-runs.ts'
import type { EvalReport } from '../report.ts'
import type { SuiteTrend } from '../trend.ts'

/** What a report tells: runs, and where they are known what they are compared with and how their suites went before. */
export interface ReportInput {
  readonly reports: readonly EvalReport[]
  readonly comparisons?: readonly RunComparison[] | undefined
  readonly trends?: readonly SuiteTrend[] | undefined
  /** Default `Evals`. */
  readonly title?: string | undefined
  /** When it was made, in milliseconds since the epoch; left out when absent. */
  readonly madeAt?: number | undefined
}
