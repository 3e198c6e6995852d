import type { AssistantTool } from './context.ts'
import { type AgentDeps, createSpecialist } from './prompted-agent.ts'

/** Notices patterns, keeps schedules, and tunes how forward the assistant is. */
export const createProactiveAgent = (deps: AgentDeps, tools: readonly AssistantTool[]) =>
  createSpecialist(deps, {
    name: 'ProactiveAgent',
    role: 'You are the proactive specialist of a personal assistant: you record patterns, manage schedules and calibrate how forward the assistant is.',
    prompts: ['observation', 'calibration', 'schedule'],
    tools,
  })
