import type { Lineage } from '@promptkeep/client'

/** One case of a golden dataset, as a target needs it. */
export interface TargetCase {
  readonly id: string
  /** The user's message; `turns` when the case is a conversation. */
  readonly input?: string
  readonly turns?: readonly string[]
  readonly context?: Readonly<Record<string, unknown>>
  /** What the target's world holds before the first turn, such as memories; the target puts it there, for this tenant. */
  readonly seed?: Readonly<Record<string, unknown>>
}

export interface TargetOptions {
  /** Alias chain to resolve every prompt through, anew. */
  readonly promptAlias: readonly string[]
  /** Model for every agent; the target's own when absent. */
  readonly model?: string | undefined
  /** An isolated user of this case and trial; the target cleans up after it. */
  readonly tenant: string
  /** Which run of this case it is, from 0. */
  readonly trial?: number
  readonly signal: AbortSignal
}

/** A call of a tool, at whatever depth it was made. */
export interface ToolCall {
  /** The agent that called. */
  readonly agent: string
  readonly name: string
  readonly arguments: unknown
  readonly result: unknown
}

export interface TargetResult {
  readonly output: string
  readonly messages: readonly { readonly role: string; readonly content: string }[]
  /** Nested ones included, in the order they were made. */
  readonly toolCalls: readonly ToolCall[]
  /** The prompts whose text went into a request of this run. */
  readonly prompts: Readonly<Record<string, Lineage>>
  readonly fingerprint: string
  /** The model that answered, as the target names it; absent when it doesn't know. */
  readonly model?: string
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number; readonly requests: number }
  /** Something refused this request instead of answering it; by what, in the target's words. */
  readonly blocked?: { readonly by: string }
  /** An error is an error, never an answer: `output` is not judged when this is set. */
  readonly error?: { readonly kind: 'target' | 'infrastructure' | 'configuration'; readonly message: string }
}

/** What an eval runs its cases against: a function of this process, or an HTTP endpoint. */
export interface Target {
  run(testCase: TargetCase, options: TargetOptions): Promise<TargetResult>
  close?(): Promise<void>
}

/** What a target that is made for a run is told. */
export interface TargetSetup {
  /** The registry of this run: a target that loads prompts from another one makes the run invalid. */
  readonly trackingUri: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** What a suite's `target: file.ts#name` may name: a target, or a function that makes one for a run. */
export type TargetExport = Target | ((setup: TargetSetup) => Target | Promise<Target>)
