import type { z } from 'zod'
import type { AssistantTool } from '../agents/context.ts'

/**
 * The same tool, which answers arguments of the wrong form by naming each field and what is allowed there, so that
 * the model can call again. The SDK checks them as well, but keeps to itself what was wrong.
 *
 * @param answer - Makes the tool's answer from the problems: `memory_type: Invalid option: expected one of …`.
 */
export function checkArguments<Shape extends z.ZodType>(
  tool: AssistantTool,
  shape: Shape,
  answer: (problems: string) => unknown,
): AssistantTool {
  return {
    ...tool,
    async invoke(runContext, input, details) {
      const problems = problemsOf(input, shape)
      // the SDK's type of a result is text; what a tool may answer, it makes text of where it needs it
      return problems === undefined ? tool.invoke(runContext, input, details) : (answer(problems) as string)
    },
  }
}

function problemsOf(input: string, shape: z.ZodType): string | undefined {
  let given: unknown
  try {
    given = JSON.parse(input)
  } catch {
    return 'the arguments are no JSON'
  }
  const { error } = shape.safeParse(given)
  return error?.issues
    .map(({ path, message }) => `${path.length > 0 ? path.join('.') : 'arguments'}: ${message}`)
    .join('; ')
}
