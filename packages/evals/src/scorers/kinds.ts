import { cron } from './cron.ts'
import type { ScorerKind } from './define-scorer.ts'
import { extraction } from './extraction.ts'
import { judge } from './judge.ts'
import { blocked, cost, latency } from './limits.ts'
import { moduleScorer } from './module-scorer.ts'
import { contains, excludes, length } from './text.ts'
import { delegation, toolCalls } from './tool-calls.ts'
import { equals, json, regex, similarity } from './values.ts'

/** Every scorer that a suite can name. A new one is a line here, its file, and a section in docs/scorers.md. */
export const SCORER_KINDS: readonly ScorerKind[] = [
  equals,
  contains,
  excludes,
  regex,
  json,
  similarity,
  length,
  latency,
  cost,
  delegation,
  toolCalls,
  blocked,
  extraction,
  cron,
  judge,
  moduleScorer,
]
