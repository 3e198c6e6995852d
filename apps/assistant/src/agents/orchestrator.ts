import type { PromptName } from '../prompt-map.ts'
import type { RunPrompts } from '../run-prompts.ts'
import type { Specialist, SpecialistTools } from './context.ts'
import { type AgentDeps, compose, createPromptedAgent } from './prompted-agent.ts'
import { available, createSpecialistTool, SPECIALIST_CARDS } from './specialist-tool.ts'

/** Whom the assistant is talking to; `none` when that is not known. */
export type Persona = 'onboarding' | 'returning' | 'none'

const PERSONA_PROMPTS: Readonly<Record<Persona, readonly PromptName[]>> = {
  onboarding: ['onboarding'],
  returning: ['proactive-greeting'],
  none: [],
}

const promptsOf = (persona: Persona): readonly PromptName[] => [
  'orchestrator-base',
  ...PERSONA_PROMPTS[persona],
]

/** `orchestrator-base`, the persona's block, then the specialists at hand: generated, never registered. */
export function buildOrchestratorInstructions(
  run: RunPrompts,
  persona: Persona,
  specialists: readonly Specialist[],
): string {
  return compose(...promptsOf(persona).map((name) => run.get(name)), ...routingSection(specialists))
}

/** @param options.tools - Tools per specialist; one without tools is neither a tool nor in the routing section. */
export function createOrchestrator({
  persona,
  tools,
  ...deps
}: AgentDeps & { readonly persona: Persona; readonly tools: SpecialistTools }) {
  const specialists = available(tools)
  return createPromptedAgent(deps, {
    name: 'Assistant',
    prompts: promptsOf(persona),
    instructions: buildOrchestratorInstructions(deps.run, persona, specialists),
    tools: specialists.map((name) => createSpecialistTool(deps, name, tools[name] ?? [])),
  })
}

function routingSection(specialists: readonly Specialist[]): string[] {
  if (specialists.length === 0) return []
  const hints = specialists.map((name) => {
    const { toolName, domain } = SPECIALIST_CARDS[name]
    return `- ${toolName}: ${domain}`
  })
  return [['## Specialists you can ask', '', ...hints].join('\n')]
}
