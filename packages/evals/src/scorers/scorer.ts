import type { TargetResult, ToolCall } from '../target.ts'

/** What a scorer sees of one case. It is only called for an answer: an error is never scored. */
export interface ScorerArgs {
  /** The user's message; the last turn of a conversation. */
  readonly input: string
  readonly output: string
  /** The case's `expected`, whole. */
  readonly expected?: Readonly<Record<string, unknown>> | undefined
  readonly messages: readonly { readonly role: string; readonly content: string }[]
  /** At any depth, in the order they were made. */
  readonly toolCalls: readonly ToolCall[]
  /** From the question to the last word of the answer. */
  readonly latencyMs: number
  readonly usage: TargetResult['usage']
  /** In US dollars; absent when the suite gives no prices. */
  readonly costUsd?: number | undefined
  readonly blocked?: TargetResult['blocked']
}

export interface Score {
  readonly name: string
  /** 0…1; `null`: the scorer has nothing to say about this case. */
  readonly score: number | null
  /** Why, in words for people. */
  readonly reason?: string
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** Autoevals' scorers have this shape. */
export type Scorer = (args: ScorerArgs) => Score | Promise<Score>
