import type { AgentInputItem } from '@openai/agents'
import type { Lineage } from '@promptkeep/client'
import type { Persona } from './agents/orchestrator.ts'
import type { RecordedCall, ToolStatus, Usage } from './agents/run-record.ts'

/** One turn, as a caller asks for it: already validated, save for what only the database knows. */
export interface TurnRequest {
  readonly userId: string
  /** Blank: a conversation was opened, greet. */
  readonly message: string
  /** Continues this conversation; absent: a new one. */
  readonly conversationId?: string | undefined
  /** The greeting that this message answers: it becomes the new conversation's first message. */
  readonly greetingId?: string | undefined
  /** The same message again: what is stored of its last attempt is replaced, if that broke. Default false. */
  readonly isRetry?: boolean | undefined
  readonly model?: string | undefined
  readonly maxTokens?: number | undefined
  /** Alias chain of this turn; its set is asked for anew. */
  readonly promptAlias?: readonly string[] | undefined
  /** Whose side of a rollout this turn is on. Absent: the versions that the aliases point at, as evals judge them. */
  readonly rolloutKey?: string | undefined
  readonly correlationId: string
  /** Ends the turn: whoever asked has gone. */
  readonly signal: AbortSignal
}

/** Why a turn has no whole answer. */
export type ChatErrorType =
  | 'timeout'
  | 'cancelled'
  | 'model_unavailable'
  | 'prompts_unavailable'
  | 'too_many_steps'
  | 'empty_answer'
  | 'internal'

export interface ChatFailure {
  readonly type: ChatErrorType
  /** For the user: what happened and what to do, without anything internal. */
  readonly message: string
}

/** What became of a turn; also of one that failed, as far as it got. */
export interface ChatOutcome {
  /** All that the user saw. */
  readonly output: string
  readonly status: 'complete' | 'cancelled' | 'failed'
  readonly failure?: ChatFailure
  /** What was thrown: for whoever called in this process, never stored or sent. */
  readonly cause?: unknown
  /** What the model is shown of it in later turns. */
  readonly items: readonly AgentInputItem[]
  /** Nested ones included. */
  readonly toolCalls: readonly RecordedCall[]
  /** The prompts whose text went into a request. */
  readonly prompts: Readonly<Record<string, Lineage>>
  /** Over these prompts. */
  readonly fingerprint: string
  readonly model: string
  readonly usage: Usage
}

/** What every event of a turn belongs to. */
export interface TurnInfo {
  /** Null for a greeting, and when nothing could be stored. */
  readonly conversationId: string | null
  readonly persona: Persona
  /** The demo model answers. */
  readonly isDemo: boolean
}

export type ChatEvent =
  | { readonly type: 'start' }
  | { readonly type: 'delta'; readonly content: string }
  | { readonly type: 'tool'; readonly status: ToolStatus }
  | {
      readonly type: 'end'
      readonly outcome: ChatOutcome
      /** To send with the user's first message, so that the greeting is kept. */
      readonly greetingId?: string
      /** False when the database could not take the answer. */
      readonly isStored: boolean
    }

export interface ChatTurn extends TurnInfo {
  /** To be read once. Ends with one `end`; leaving early cancels the turn. */
  readonly events: AsyncIterable<ChatEvent>
}

/** Refused before anything was stored or asked. */
export class ChatRefusal extends Error {
  readonly status: 400 | 404 | 503
  constructor(status: 400 | 404 | 503, message: string) {
    super(message)
    this.name = new.target.name
    this.status = status
  }
}
