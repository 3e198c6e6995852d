import type { AssistantTool } from './context.ts'
import { type AgentDeps, createSpecialist } from './prompted-agent.ts'

/** Keeps and queries the graph of people, projects, tools and organizations in the user's life. */
export const createKnowledgeAgent = (deps: AgentDeps, tools: readonly AssistantTool[]) =>
  createSpecialist(deps, {
    name: 'KnowledgeAgent',
    role: "You are the knowledge specialist of a personal assistant: you record and query the graph of entities and relationships in its user's world.",
    prompts: ['knowledge-graph'],
    tools,
  })
