import type { Tool } from '@openai/agents'
import type { RunPrompts } from '../run-prompts.ts'
import type { RunRecord } from './run-record.ts'

/** What every agent and tool of one run shares; nested runs get the same object. Identity comes from here only. */
export interface AssistantContext {
  readonly correlationId: string
  readonly userId: string
  /** Null while there is none: a greeting, a specialist run alone. */
  readonly conversationId: string | null
  /** Ends the run: the user went away, or its time is up. */
  readonly signal: AbortSignal
  /** Longest time of one specialist, in ms, so that one that hangs leaves time to answer with the rest. Absent: the run's. */
  readonly specialistTimeoutMs?: number | undefined
  readonly run: RunPrompts
  readonly record: RunRecord
}

/** A tool of this application, whatever its parameters are; made with the SDK's `tool()`. */
export type AssistantTool = Extract<Tool<AssistantContext>, { type: 'function' }>

/** The specialists, in the fixed order in which the orchestrator's routing hints name them. */
export const SPECIALISTS = ['memory', 'knowledge', 'weather', 'proactive', 'notification'] as const
export type Specialist = (typeof SPECIALISTS)[number]

/** Tools per specialist. One without tools is neither offered to the orchestrator nor named in its hints. */
export type SpecialistTools = Readonly<Partial<Record<Specialist, readonly AssistantTool[]>>>
