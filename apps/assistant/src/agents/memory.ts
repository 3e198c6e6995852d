import type { AssistantTool } from './context.ts'
import { type AgentDeps, createSpecialist } from './prompted-agent.ts'

/** Finds, saves and deletes what the assistant knows about its user. */
export const createMemoryAgent = (deps: AgentDeps, tools: readonly AssistantTool[]) =>
  createSpecialist(deps, {
    name: 'MemoryAgent',
    role: 'You are the memory specialist of a personal assistant: you find, save and delete what is remembered about its user.',
    prompts: ['memory', 'memory-write'],
    tools,
  })
