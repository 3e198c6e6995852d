import type { AssistantTool } from './context.ts'

/** What a tool returns in place of text when it did not do what it was asked. */
export interface FailedResult {
  readonly ok: false
  /** All that the model reads. */
  readonly text: string
}

/** Marks a tool's text as a failure: the model reads the text alone, the user sees that the step failed. */
export const failed = (text: string): FailedResult => ({ ok: false, text })

/**
 * The same tool, whose calls are noted on the run's record, at whatever depth they are made: the SDK's own hooks see
 * one level only, and its call ids repeat between agents. A call failed when it threw, returned {@link failed} or JSON
 * with `success: false`.
 */
export function observeTool(agent: string, tool: AssistantTool): AssistantTool {
  return {
    ...tool,
    async invoke(runContext, input, details) {
      const finished = runContext.context.record.toolStarted({
        agent,
        name: tool.name,
        arguments: parsed(input),
      })
      try {
        const result = await tool.invoke(runContext, input, details)
        const seen = typeof result === 'string' ? parsed(result) : result
        if (isFailed(seen)) {
          finished(seen.text, false)
          return seen.text
        }
        finished(seen, !saysFailure(seen))
        return result
      } catch (error) {
        finished({ error: error instanceof Error ? error.message : String(error) }, false)
        throw error
      }
    },
  }
}

/** A model writes arguments, and a tool its result, as JSON text or as plain text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The SDK hands objects on as JSON, so this is a shape and not an identity. */
const isFailed = (result: unknown): result is FailedResult =>
  isObject(result) &&
  result.ok === false &&
  typeof result.text === 'string' &&
  Object.keys(result).length === 2

const saysFailure = (result: unknown) => isObject(result) && result.success === false

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null
