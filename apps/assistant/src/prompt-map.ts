import type { Prompts } from './prompts.gen.ts'

/**
 * Constants of the assistant's first life, each with the name of the prompt that replaced it. Old code and tests
 * that import a constant find a loader of the same name (`chat-service.ts`), made from this map.
 */
export const PROMPT_NAME_MAP = {
  ORCHESTRATOR_BASE_PROMPT: 'orchestrator-base',
  ONBOARDING_SYSTEM_PROMPT: 'onboarding',
  PROACTIVE_GREETING_PROMPT: 'proactive-greeting',
  MEMORY_SYSTEM_PROMPT: 'memory',
  MEMORY_WRITE_SYSTEM_PROMPT: 'memory-write',
  WEATHER_SYSTEM_PROMPT: 'weather',
  GRAPH_SYSTEM_PROMPT: 'knowledge-graph',
  CALIBRATION_SYSTEM_PROMPT: 'calibration',
  SCHEDULE_SYSTEM_PROMPT: 'schedule',
  OBSERVATION_SYSTEM_PROMPT: 'observation',
  NOTIFICATION_SYSTEM_PROMPT: 'notification',
} as const satisfies Readonly<Record<string, keyof Prompts>>

export type PromptConstant = keyof typeof PROMPT_NAME_MAP
export type PromptName = (typeof PROMPT_NAME_MAP)[PromptConstant]

/** The eleven, in the order in which the map names them. */
export const PROMPT_NAMES: readonly PromptName[] = Object.freeze(Object.values(PROMPT_NAME_MAP))
