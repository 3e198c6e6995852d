import { setMaxListeners } from 'node:events'
import type { AgentInputItem } from '@openai/agents'
import type { Logger } from '@promptkeep/client'
import type { Persona } from './agents/orchestrator.ts'
import { type RunDeps, runAssistant, TIMED_OUT } from './chat-run.ts'
import {
  type ChatEvent,
  type ChatOutcome,
  ChatRefusal,
  type ChatTurn,
  type TurnRequest,
} from './chat-types.ts'
import type { ConversationStore } from './db/conversations.ts'
import type { UserStore } from './db/users.ts'
import { createEventQueue } from './event-queue.ts'
import { selectHistory } from './history.ts'
import { wantsOnboardingToEnd } from './onboarding.ts'
import { processPrompts } from './process-prompts.ts'
import { promptConstants } from './prompt-constants.ts'
import { createTurnOrder } from './turn-order.ts'

/** Constants of the assistant's first life: `await MEMORY_SYSTEM_PROMPT()` is what the registry says now. */
export const {
  ORCHESTRATOR_BASE_PROMPT,
  ONBOARDING_SYSTEM_PROMPT,
  PROACTIVE_GREETING_PROMPT,
  MEMORY_SYSTEM_PROMPT,
  MEMORY_WRITE_SYSTEM_PROMPT,
  WEATHER_SYSTEM_PROMPT,
  GRAPH_SYSTEM_PROMPT,
  CALIBRATION_SYSTEM_PROMPT,
  SCHEDULE_SYSTEM_PROMPT,
  OBSERVATION_SYSTEM_PROMPT,
  NOTIFICATION_SYSTEM_PROMPT,
} = promptConstants((name) => processPrompts().loadPrompt(name))

export interface ChatDeps extends RunDeps {
  readonly conversations: ConversationStore
  readonly users: UserStore
  /** The demo model answers. */
  readonly isDemo: boolean
  /** Longest time of a turn, everything included. */
  readonly timeoutMs: number
  readonly historyTokenBudget: number
}

export interface ChatService {
  /**
   * Runs one turn. What the user said is stored before the model is asked, the answer as far as it came when the
   * turn ends, however it ends. A database that is out of order costs the memory of the turn, not the turn.
   * @throws {ChatRefusal} before anything happened: no such conversation or greeting; given up while it waited.
   */
  start(request: TurnRequest): Promise<ChatTurn>
  /** Ends the turns under way and waits until they are stored; later ones are cancelled at once. */
  close(): Promise<void>
}

/** What the model is told when a conversation is opened without a word. */
const GREET =
  '[System: the user has just opened a new conversation and has not said anything yet. Greet them as your instructions say.]'

interface Prepared {
  readonly conversationId: string | null
  readonly persona: Persona
  readonly before: readonly AgentInputItem[]
}

export function createChatService(deps: ChatDeps): ChatService {
  const closing = new AbortController()
  const underWay = new Set<Promise<void>>()
  const order = createTurnOrder()

  return {
    async start(request) {
      const isGreeting = request.message.trim() === ''
      const leave = await takeTurn(request)
      const prepare = isGreeting ? prepareGreeting : prepareReply
      const turn = await prepare(request).catch((error: unknown) => {
        leave()
        throw error
      })
      const asked: AgentInputItem = { role: 'user', content: isGreeting ? GREET : request.message }
      const items = [...selectHistory(turn.before, deps.historyTokenBudget), asked]

      const left = new AbortController()
      const queue = createEventQueue<ChatEvent>(() => left.abort())
      const work = withTimeout(
        [request.signal, closing.signal, left.signal],
        deps.timeoutMs,
        async (signal) => {
          queue.push({ type: 'start' })
          const { conversationId, persona } = turn
          const outcome = await runAssistant(
            deps,
            { request, conversationId, persona, items, signal, specialistTimeoutMs: deps.timeoutMs / 2 },
            queue.push,
          )
          const stored = await keep(request, turn, isGreeting, outcome)
          queue.push({ type: 'end', outcome, ...stored })
        },
      ).finally(() => {
        leave()
        queue.end()
        underWay.delete(work)
      })
      underWay.add(work)
      return {
        conversationId: turn.conversationId,
        persona: turn.persona,
        isDemo: deps.isDemo,
        events: queue,
      }
    },

    async close() {
      closing.abort()
      await Promise.allSettled([...underWay])
    },
  }

  /** Who sends again before the last answer is stored waits for it: else the two would be stored the wrong way round. */
  async function takeTurn({ userId, conversationId, signal }: TurnRequest): Promise<() => void> {
    if (conversationId === undefined) return () => {}
    const leave = await order.enter(JSON.stringify([userId, conversationId]), [signal, closing.signal])
    if (!signal.aborted && !closing.signal.aborted) return leave
    leave()
    // its message would be stored before the answer that it was to follow
    throw new ChatRefusal(503, 'The turn was given up while it waited for the one before it')
  }

  async function prepareGreeting({ userId, conversationId, greetingId }: TurnRequest): Promise<Prepared> {
    if (conversationId !== undefined || greetingId !== undefined) {
      throw new ChatRefusal(400, 'message must not be empty in a conversation that has begun')
    }
    return { conversationId: null, persona: await personaOf(userId), before: [] }
  }

  async function prepareReply(request: TurnRequest): Promise<Prepared> {
    const { userId, message, conversationId } = request
    if (wantsOnboardingToEnd(message)) await unlessBroken(deps.log, () => deps.users.endOnboarding(userId))
    const persona = await personaOf(userId)
    const begun = await unlessBroken(deps.log, () =>
      deps.conversations.begin({ ...request, content: message }).then((conversation) => ({ conversation })),
    )
    if (!begun) return { conversationId: null, persona, before: [] }
    if (begun.conversation) {
      return { conversationId: begun.conversation.id, persona, before: begun.conversation.before }
    }
    throw new ChatRefusal(404, `conversation_id: there is no conversation ${conversationId}`)
  }

  /** Neither block is right for someone of whom nothing can be known. */
  async function personaOf(userId: string): Promise<Persona> {
    const isOnboarded = await unlessBroken(deps.log, () => deps.users.isOnboarded(userId))
    return isOnboarded === undefined ? 'none' : isOnboarded ? 'returning' : 'onboarding'
  }

  async function keep(
    { userId, correlationId }: TurnRequest,
    { conversationId }: Prepared,
    isGreeting: boolean,
    outcome: ChatOutcome,
  ): Promise<{ isStored: boolean; greetingId?: string }> {
    const answer = { ...outcome, isDemo: deps.isDemo, correlationId }
    if (isGreeting) {
      // half a greeting is not worth an answer
      if (outcome.status !== 'complete') return { isStored: false }
      const greetingId = await unlessBroken(deps.log, () => deps.conversations.keepGreeting(userId, answer))
      return greetingId === undefined ? { isStored: false } : { isStored: true, greetingId }
    }
    if (conversationId === null) return { isStored: false }
    const stored = await unlessBroken(deps.log, () =>
      deps.conversations.addAnswer(userId, conversationId, answer).then(() => true),
    )
    return { isStored: stored === true }
  }
}

/** The database's errors are logged; `undefined` says that there was one. */
async function unlessBroken<T>(log: Logger, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    log.error({ err: error }, 'database.failed')
    return undefined
  }
}

async function withTimeout(
  signals: readonly AbortSignal[],
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort(TIMED_OUT), timeoutMs)
  try {
    const signal = AbortSignal.any([...signals, timeout.signal])
    setMaxListeners(0, signal) // eleven prompts, every request and every tool listen; Node would warn of a leak
    await work(signal)
  } finally {
    clearTimeout(timer)
    // Node keeps a combined signal that someone still listens to until it aborts, and HTTP clients go on listening:
    // without this every turn would leave some kilobytes behind for good.
    timeout.abort()
  }
}
