import type { TargetResult, ToolCall } from '@promptkeep/evals'

/** For the user's eyes while a run goes on: no arguments, no results. */
export interface ToolStatus {
  readonly type: 'started' | 'finished'
  /** Counts from 1 within a run; a `finished` carries the number of its `started`. */
  readonly id: number
  /** The agent that called. */
  readonly agent: string
  readonly tool: string
  /** Only when finished: false when the tool threw or said `success: false`. */
  readonly ok?: boolean
}

/** A call, and whether it did what it was asked; false also for one that never ended. */
export interface RecordedCall extends ToolCall {
  readonly ok: boolean
}

export type Usage = TargetResult['usage']

/** What one run did: every tool call at whatever depth, and what the model's answers cost. */
export interface RunRecord {
  /** Notes a call as it begins; the function it returns notes the result, once. */
  toolStarted(call: {
    agent: string
    name: string
    arguments: unknown
  }): (result: unknown, ok: boolean) => void
  modelAsked(): void
  modelAnswered(usage: { inputTokens: number; outputTokens: number }): void
  /** In the order the calls were made; the result of one that never ended is `null`. */
  toolCalls(): readonly RecordedCall[]
  usage(): Usage
}

/** @param emit - Hears of each call as it starts and ends. */
export function createRunRecord(emit: (status: ToolStatus) => void = () => {}): RunRecord {
  const calls: RecordedCall[] = []
  const usage = { inputTokens: 0, outputTokens: 0, requests: 0 }
  return {
    toolStarted({ agent, name, arguments: given }) {
      const id = calls.push({ agent, name, arguments: given, result: null, ok: false })
      emit({ type: 'started', id, agent, tool: name })
      return (result, ok) => {
        calls[id - 1] = { agent, name, arguments: given, result, ok }
        emit({ type: 'finished', id, agent, tool: name, ok })
      }
    },
    modelAsked() {
      usage.requests += 1
    },
    modelAnswered({ inputTokens, outputTokens }) {
      usage.inputTokens += inputTokens
      usage.outputTokens += outputTokens
    },
    toolCalls: () => [...calls],
    usage: () => ({ ...usage }),
  }
}
