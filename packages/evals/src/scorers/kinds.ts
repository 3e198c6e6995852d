import type { ScorerKind } from './define-scorer.ts'
import { contains, excludes, length } from './text.ts'
import { delegation, toolCalls } from './tool-calls.ts'

/** Every scorer that a suite can name. A new one is a line here, its file, and a row in docs/evals.md. */
export const SCORER_KINDS: readonly ScorerKind[] = [contains, excludes, length, delegation, toolCalls]
