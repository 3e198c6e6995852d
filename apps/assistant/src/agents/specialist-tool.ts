import { setMaxListeners } from 'node:events'
import { type Agent, tool } from '@openai/agents'
import { isRegistryError } from '@promptkeep/client'
import { z } from 'zod'
import {
  type AssistantContext,
  type AssistantTool,
  SPECIALISTS,
  type Specialist,
  type SpecialistTools,
} from './context.ts'
import { createKnowledgeAgent } from './knowledge.ts'
import { createMemoryAgent } from './memory.ts'
import { createNotificationAgent } from './notification.ts'
import { createProactiveAgent } from './proactive.ts'
import type { AgentDeps } from './prompted-agent.ts'
import { createWeatherAgent } from './weather.ts'

interface SpecialistCard {
  readonly create: (deps: AgentDeps, tools: readonly AssistantTool[]) => Promise<Agent<AssistantContext>>
  readonly toolName: string
  /** What the orchestrator's model reads in the tool's schema. */
  readonly description: string
  /** What it reads in the routing section of its instructions. */
  readonly domain: string
}

export const SPECIALIST_CARDS: Readonly<Record<Specialist, SpecialistCard>> = {
  memory: {
    create: createMemoryAgent,
    toolName: 'ask_memory_agent',
    description:
      "Finds, saves, corrects and deletes the user's facts, preferences, decisions and notes. Pass the request with all the context it needs.",
    domain: 'what is remembered about the user: facts, preferences, decisions, notes',
  },
  knowledge: {
    create: createKnowledgeAgent,
    toolName: 'ask_knowledge_agent',
    description:
      "Records and queries the people, projects, tools and organizations in the user's life and how they relate. Pass the names and the question.",
    domain: 'people, projects, tools, organizations, and how they relate',
  },
  weather: {
    create: createWeatherAgent,
    toolName: 'ask_weather_agent',
    description: 'Looks up current weather and forecasts. Pass the place and the question.',
    domain: 'current weather and forecasts',
  },
  proactive: {
    create: createProactiveAgent,
    toolName: 'ask_proactive_agent',
    description:
      "The only way to create or change schedules and timed reminders; also patterns, how forward to be, and the user's profile. Pass what, when and how often.",
    domain: 'schedules, timed reminders, patterns, how forward to be',
  },
  notification: {
    create: createNotificationAgent,
    toolName: 'ask_notification_agent',
    description:
      'Leaves the user a notification that outlasts this conversation: a reminder without a time, or something worth keeping. Pass the text.',
    domain: 'notifications that outlast the conversation, without a time',
  },
}

/** Turns of one agent before it is stopped: a model that only calls tools never ends by itself. */
export const MAX_TURNS = 10

/** Specialists that have tools, in their fixed order. */
export const available = (tools: SpecialistTools): Specialist[] =>
  SPECIALISTS.filter((name) => (tools[name]?.length ?? 0) > 0)

/**
 * A specialist as a tool: it sees the one request and nothing of the conversation. It is built when it is asked, so
 * that a prompt which cannot be used stops its own specialist and not the chat.
 */
export function createSpecialistTool(
  deps: AgentDeps,
  specialist: Specialist,
  tools: readonly AssistantTool[],
): AssistantTool {
  const { create, toolName, description } = SPECIALIST_CARDS[specialist]
  return tool({
    name: toolName,
    description,
    parameters: z.object({ input: z.string() }),
    async execute({ input }, runContext, details) {
      const { context } = runContext as { context: AssistantContext }
      const agent = await create(deps, tools)
      return withDeadline(details?.signal ?? context.signal, context.specialistTimeoutMs, async (signal) => {
        const result = await deps.models.runner.run(agent, input, { context, maxTurns: MAX_TURNS, signal })
        return result.finalOutput ?? ''
      })
    },
    errorFunction({ context }, error) {
      const { correlationId } = context as AssistantContext
      if (error instanceof Error && error.name === 'InvalidToolInputError') {
        return failure('The call was not understood. It takes one field, "input": the whole request as text.')
      }
      deps.log.warn({ specialist, correlationId, ...described(error) }, 'specialist.failed')
      return failure(
        `The ${specialist} specialist could not finish. Nothing it was asked to do may be assumed done.`,
      )
    },
  }) as AssistantTool
}

const failure = (message: string) => JSON.stringify({ success: false, action: 'error', message })

/** Runs `work` with a signal that also ends when its time is up; what is over leaves no listener behind. */
async function withDeadline<T>(
  outer: AbortSignal,
  timeoutMs: number | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (timeoutMs === undefined) return work(outer)
  const own = new AbortController()
  const end = () => own.abort(outer.reason)
  if (outer.aborted) end()
  outer.addEventListener('abort', end, { once: true })
  const timer = setTimeout(() => own.abort(new Error('its time was up')), timeoutMs)
  setMaxListeners(0, own.signal)
  try {
    return await work(own.signal)
  } finally {
    clearTimeout(timer)
    outer.removeEventListener('abort', end)
  }
}

/** A provider's error may quote prompt or user: of an error only what is ours or has no text of theirs is logged. */
function described(error: unknown): object {
  if (!(error instanceof Error)) return { error: typeof error }
  const { status, code } = error as { status?: unknown; code?: unknown }
  return {
    error: error.name,
    ...(status === undefined ? {} : { status }),
    ...(code === undefined ? {} : { code }),
    ...(isRegistryError(error) ? { reason: error.message } : {}),
  }
}
