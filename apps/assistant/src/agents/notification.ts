import type { AssistantTool } from './context.ts'
import { type AgentDeps, createSpecialist } from './prompted-agent.ts'

/** Leaves the user notes that outlive the conversation. */
export const createNotificationAgent = (deps: AgentDeps, tools: readonly AssistantTool[]) =>
  createSpecialist(deps, {
    name: 'NotificationAgent',
    role: 'You are the notification specialist of a personal assistant: you create notifications that outlast the conversation.',
    prompts: ['notification'],
    tools,
  })
