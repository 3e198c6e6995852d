import { isRegistryError, type Lineage, type Prompt, type Registry } from '@promptkeep/client'
import { fingerprintOf } from '@promptkeep/client/protocol'
import { EvalFailure, messageOf } from './errors.ts'
import type { Target, TargetCase, TargetOptions, TargetResult, TargetSetup } from './target.ts'

/** What a task is told beside its case. */
export interface TaskContext extends TargetOptions, TargetSetup {
  /**
   * Loads a prompt through the run's alias chain and notes it as used: what the run's record is made of. The same one for as
   * long as this trial lasts; never a fallback.
   * @throws {RegistryError} Let it through: an outage is tried again, and a prompt that there is not ends the run.
   */
  prompt(name: string): Promise<Prompt>
}

/** What a task answers: the text, or the text with what else is known of it. */
export type TaskAnswer =
  | string
  | (Partial<Omit<TargetResult, 'output' | 'fingerprint'>> & { readonly output: string })

/** Answers one case; of a conversation all of its turns. What it throws is an error of the target. */
export type EvalTask = (testCase: TargetCase, context: TaskContext) => TaskAnswer | Promise<TaskAnswer>

/** @param registry - Strict and without a cache; closed with the target. */
export function createTaskTarget(
  task: EvalTask,
  setup: TargetSetup,
  registry: Pick<Registry, 'run' | 'close'>,
): Target {
  return {
    run: (testCase, options) =>
      registry.run(
        async (run) => {
          const { signal } = options
          const context = { ...setup, ...options, prompt: (name: string) => run.load(name, { signal }) }
          try {
            return await resultOf(testCase, await task(testCase, context), run.lineage())
          } catch (error) {
            // Whose failure these are, the runner knows.
            if (isRegistryError(error) || error instanceof EvalFailure) throw error
            const failed = { output: '', error: { kind: 'target', message: messageOf(error) } } as const
            return await resultOf(testCase, failed, run.lineage())
          }
        },
        { alias: options.promptAlias, signal: options.signal },
      ),
    close: () => registry.close(),
  }
}

async function resultOf(
  testCase: TargetCase,
  answer: TaskAnswer,
  loaded: Readonly<Record<string, Lineage>>,
): Promise<TargetResult> {
  const said = typeof answer === 'string' ? { output: answer } : answer
  if (typeof said?.output !== 'string')
    throw new Error(`the task answered ${JSON.stringify(answer) ?? typeof answer}, not a text or { output }`)
  const prompts = { ...loaded, ...said.prompts }
  const triples = Object.entries(prompts).map(([name, { version, digest }]) => ({ name, version, digest }))
  const question = testCase.turns?.at(-1) ?? testCase.input ?? ''
  return {
    toolCalls: [],
    usage: { inputTokens: 0, outputTokens: 0, requests: 0 },
    messages: [
      { role: 'user', content: question },
      ...(said.output === '' ? [] : [{ role: 'assistant', content: said.output }]),
    ],
    ...said,
    prompts,
    fingerprint: await fingerprintOf(triples),
  }
}
