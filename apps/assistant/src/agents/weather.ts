import type { AssistantTool } from './context.ts'
import { type AgentDeps, createSpecialist } from './prompted-agent.ts'

/** Answers from current conditions and the provider's five-day forecast. */
export const createWeatherAgent = (deps: AgentDeps, tools: readonly AssistantTool[]) =>
  createSpecialist(deps, {
    name: 'WeatherAgent',
    role: 'You are the weather specialist of a personal assistant: you look up current conditions and forecasts.',
    prompts: ['weather'],
    tools,
  })
