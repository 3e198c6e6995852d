import type { AssistantTool } from './context.ts'

/**
 * The same tool, whose calls are noted on the run's record, at whatever depth they are made: the SDK's own hooks see
 * one level only, and its call ids repeat between agents.
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

const saysFailure = (result: unknown) =>
  typeof result === 'object' && result !== null && 'success' in result && result.success === false
