export type { EvalRegistry } from './aliases.ts'
export { type CaseScores, scoresOf } from './case-scores.ts'
export {
  type Check,
  type CheckDeps,
  type Checked,
  type CheckedSuite,
  type CheckOptions,
  type CheckOutcome,
  check,
} from './check.ts'
export {
  ACROSS,
  type Across,
  type CompareOptions,
  compareRuns,
  type RunComparison,
} from './compare-runs.ts'
export type { ChangedCase, MetricComparison } from './compared-cases.ts'
export { type Conclusion, concludeEvals, exitCodeOf } from './conclusion.ts'
export { type CoreSuitesQuery, loadCoreSuites, loadSuites } from './core-suites.ts'
export type { Case, Dataset } from './dataset.ts'
export {
  type DefinedEval,
  defineEval,
  type EvalCase,
  type EvalDefinition,
  type EvalScore,
  type EvalScorer,
  type EvalScorerArgs,
  type EvalScorerFunction,
} from './define-eval.ts'
export { EvalFailure, type EvalFailureCode, SourceError, type SourceProblem } from './errors.ts'
export { createEvalDeps, type EvalDepsOptions, openEvalRuns } from './eval-deps.ts'
export {
  type EvalRun,
  type EvalRunPrompt,
  type EvalRunQuery,
  findBaseline,
  findRuns,
  readEvalRun,
  readScores,
  whyNotComparable,
} from './eval-run.ts'
export type { EvalTask, TaskAnswer, TaskContext } from './eval-task.ts'
export { type Git, systemGit } from './git.ts'
export { type GuardEnd, type GuardRun, guardRollout } from './guard-rollout.ts'
export { createJudge, type JudgeDeps } from './judge.ts'
export type { Candidate, RunLineage, UsedPrompt } from './lineage.ts'
export {
  createLiveGuard,
  type GuardDeps,
  type GuardedArm,
  type GuardLook,
  type GuardOptions,
} from './live-guard.ts'
export { createLiveMetric, LIVE_EXPERIMENT, type LiveMetric, type LiveMetricOptions } from './live-metric.ts'
export { type EvalOptions, type LoadedSuite, loadSuite } from './load-suite.ts'
export { mergeShards } from './merge-shards.ts'
export type { Metrics } from './metrics.ts'
export { DEFAULT_MAX_AGE_MS, type PromoteDeps, type PromoteOptions, promote } from './promote.ts'
export { createPromoteDeps, type PromoteDepsOptions } from './promote-deps.ts'
export { formatPromotion, type Promotion, promotionMarkdown, type SuiteJudgement } from './promotion.ts'
export { describeChange, type PromptChange } from './prompt-changes.ts'
export { type EvalReport, formatReport, type Verdict } from './report.ts'
export { htmlReport } from './reports/html.ts'
export { junitReport } from './reports/junit.ts'
export { MARKDOWN_LIMIT, markdownReport } from './reports/markdown.ts'
export type { ReportInput } from './reports/report-input.ts'
export { type EvalDeps, type Progress, type RunOptions, runEval, runSuite } from './run-eval.ts'
export type { CaseResult, CaseStatus } from './runner.ts'
export { needsJudge } from './scorers/define-scorer.ts'
export {
  type FunctionScorer,
  type ModuleScore,
  type ModuleScorer,
  type ModuleScorerArgs,
  type ModuleScorerFactory,
  scoreBy,
} from './scorers/module-scorer.ts'
export type { Score, Scorer, ScorerArgs } from './scorers/scorer.ts'
export type { Judge, JudgeOpinion, JudgeQuestion, JudgeUsage } from './scorers/services.ts'
export { parseShard, type Shard } from './shard.ts'
export type { Gate, Suite } from './suite.ts'
export { findSuiteFiles } from './suite-files.ts'
export type { PromptTarget } from './suite-manifest.ts'
export { datasetSchema, type JsonSchema, suiteSchema } from './suite-schema.ts'
export type * from './target.ts'
export type * from './tracking-port.ts'
export { readTrends, type SuiteTrend, type TrendPoint, type TrendQuery } from './trend.ts'
export { type WatchDeps, type WatchEvent, type WatchOptions, watch } from './watch.ts'
