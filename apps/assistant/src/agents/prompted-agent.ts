import { Agent } from '@openai/agents'
import type { Logger, ModelConfig, Prompt } from '@promptkeep/client'
import { canonicalText } from '@promptkeep/client/files'
import { InvalidInput } from '@promptkeep/client/protocol'
import type { Models } from '../models.ts'
import type { PromptName } from '../prompt-map.ts'
import type { RunPrompts } from '../run-prompts.ts'
import type { AssistantContext, AssistantTool } from './context.ts'
import { observeTool } from './observe-tool.ts'
import type { RunRecord } from './run-record.ts'

/** What every agent of one run is built from. */
export interface AgentDeps {
  readonly run: RunPrompts
  readonly record: RunRecord
  readonly models: Models
  /** Settings that this one request asked for; over those of the prompt and the environment. */
  readonly request?: ModelConfig | undefined
  readonly log: Logger
}

export interface AgentPlan {
  readonly name: string
  /** The prompts in the instructions, in order; the first carries the model config. */
  readonly prompts: readonly PromptName[]
  readonly instructions: string
  readonly tools: readonly AssistantTool[]
}

/** An agent of one run: its model and settings named, its requests and tool calls on the run's record. */
export async function createPromptedAgent(
  deps: AgentDeps,
  { name, prompts, instructions, tools }: AgentPlan,
): Promise<Agent<AssistantContext>> {
  const { run, record, models, request } = deps
  const { model, settings } = models.settingsFor(
    name,
    prompts.map((prompt) => run.get(prompt)),
    request,
  )
  return new Agent<AssistantContext>({
    name,
    instructions,
    model: await models.modelFor(model, prompts, run, record),
    modelSettings: settings,
    tools: tools.map((tool) => observeTool(name, tool)),
  })
}

/** A specialist: a role line that the code owns, then its prompts. Without tools it still answers, from what it is told. */
export async function createSpecialist(
  deps: AgentDeps,
  { role, ...plan }: Omit<AgentPlan, 'instructions'> & { readonly role: string },
): Promise<Agent<AssistantContext>> {
  const instructions = compose(role, ...plan.prompts.map((prompt) => deps.run.get(prompt)))
  return createPromptedAgent(deps, { ...plan, instructions })
}

/**
 * Blocks of instructions, one blank line between them, whatever blank lines a registered text begins or ends with.
 * @param blocks - Code-owned lines as they are; prompts as they were resolved.
 */
export function compose(...blocks: readonly (string | Prompt)[]): string {
  return blocks.map((block) => canonicalText(typeof block === 'string' ? block : textOf(block))).join('\n\n')
}

function textOf(prompt: Prompt): string {
  const text = prompt.format()
  if (typeof text === 'string') return text
  throw new InvalidInput(
    `Prompt ${prompt.name} version ${prompt.version} is a chat prompt; an agent's instructions need a text prompt`,
  )
}
