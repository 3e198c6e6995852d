import type { Registry } from '@promptkeep/client'
import { silent } from '@promptkeep/client/protocol'
import type { AssistantTool, Specialist, SpecialistTools } from '../../apps/assistant/src/agents/context.ts'
import { createRunRecord } from '../../apps/assistant/src/agents/run-record.ts'
import { SPECIALIST_CARDS } from '../../apps/assistant/src/agents/specialist-tool.ts'
import { createChatService } from '../../apps/assistant/src/chat-service.ts'
import { createConversationStore } from '../../apps/assistant/src/db/conversations.ts'
import { createMemoryStore } from '../../apps/assistant/src/db/memories.ts'
import { openAssistantDatabase } from '../../apps/assistant/src/db/open.ts'
import { createUserStore, type UserStore } from '../../apps/assistant/src/db/users.ts'
import { demoReply } from '../../apps/assistant/src/demo-model.ts'
import { startModelEndpoint } from '../../apps/assistant/src/model-endpoint.ts'
import { createModels } from '../../apps/assistant/src/models.ts'
import { createPromptService, type PromptService } from '../../apps/assistant/src/prompt-service.ts'
import { createMemoryTools } from '../../apps/assistant/src/tools/memory.ts'
import { createRateLimit } from '../../apps/assistant/src/tools/rate-limit.ts'
import { createWeatherTools } from '../../apps/assistant/src/tools/weather.ts'
import { createWeatherClient } from '../../apps/assistant/src/tools/weather-client.ts'
import { createWeatherService } from '../../apps/assistant/src/tools/weather-service.ts'

/** One way of using the assistant, always the same to the byte: clock, ids and model are fixed. */
interface Case {
  readonly name: string
  /** Messages of one user, one conversation; a blank one opens it. */
  readonly chat?: { readonly state: 'new' | 'known' | 'unknown'; readonly turns: readonly string[] }
  /** Or a specialist, run alone through its factory. */
  readonly specialist?: Specialist
  readonly asked?: string
}

export const CASES: readonly Case[] = [
  {
    name: 'chat, first meeting',
    chat: {
      state: 'new',
      turns: ['', 'Remember that I take my coffee black', 'What do you know about coffee?'],
    },
  },
  {
    name: 'chat, returning',
    chat: { state: 'known', turns: ['', 'What is the weather in Oslo?', 'Thank you'] },
  },
  { name: 'chat, not known who', chat: { state: 'unknown', turns: ['Good morning'] } },
  { name: 'memory alone', specialist: 'memory', asked: 'What do you know about coffee?' },
  { name: 'knowledge alone', specialist: 'knowledge', asked: 'Who works on the migration?' },
  { name: 'weather alone', specialist: 'weather', asked: 'The weather in Oslo' },
  { name: 'proactive alone', specialist: 'proactive', asked: 'Remind me every Monday' },
  { name: 'notification alone', specialist: 'notification', asked: 'Do not let me forget the keys' },
]

/** Bodies of all requests to the model, as they arrived, by case. */
export type Recording = Readonly<Record<string, readonly string[]>>

/** Runs every case with the prompts that `registry` gives, in the same functions that `POST /chat` calls. */
export async function recordCases(registry: Registry): Promise<Recording> {
  const recording: Record<string, readonly string[]> = {}
  for (const each of CASES) recording[each.name] = await recordCase(registry, each)
  return recording
}

/** Names of the cases in which anything that the model was sent differs. */
export const changedCases = (a: Recording, b: Recording): string[] =>
  CASES.map(({ name }) => name).filter((name) => JSON.stringify(a[name]) !== JSON.stringify(b[name]))

async function recordCase(registry: Registry, { chat, specialist, asked = '' }: Case): Promise<string[]> {
  await using house = await openHouse(registry)
  if (chat) await talk(house, chat)
  if (specialist) await runAlone(house, specialist, asked)
  return house.endpoint.requests.map(({ text }) => text)
}

const USER = 'ada'

async function talk({ service, users }: House, { state, turns }: NonNullable<Case['chat']>) {
  if (state === 'known') await users.endOnboarding(USER)
  const chat = service(state === 'unknown' ? { ...users, isOnboarded: unreadable } : users)
  let conversationId: string | undefined
  let greetingId: string | undefined
  for (const [index, message] of turns.entries()) {
    const turn = await chat.start({
      ...{ userId: USER, message, conversationId, greetingId },
      ...{ correlationId: `turn-${index}`, signal: new AbortController().signal },
    })
    conversationId = turn.conversationId ?? undefined
    for await (const event of turn.events) {
      if (event.type !== 'end') continue
      greetingId = event.greetingId
      if (event.outcome.failure) throw new Error(`turn ${index}: ${event.outcome.failure.message}`)
    }
  }
  await chat.close()
}

const unreadable = async () => {
  throw new Error('the database is out of order')
}

async function runAlone({ prompts, models, tools }: House, specialist: Specialist, asked: string) {
  const run = await prompts.loadRun({ correlationId: 'alone' })
  const record = createRunRecord()
  const deps = { run, record, models, log: silent }
  const agent = await SPECIALIST_CARDS[specialist].create(deps, tools[specialist] ?? [])
  const signal = new AbortController().signal
  const context = { correlationId: 'alone', userId: USER, conversationId: null, signal, run, record }
  await models.runner.run(agent, asked, { context, signal })
}

type House = Awaited<ReturnType<typeof openHouse>>

/** The assistant with its real parts on an empty database; the demo's rules answer, and are told no versions. */
async function openHouse(registry: Registry) {
  const db = await openAssistantDatabase('sqlite::memory:')
  const endpoint = await startModelEndpoint({ respond: demoReply, record: true })
  const now = () => Date.UTC(2026, 0, 1)
  let ids = 0
  const newId = () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`
  const stores = { db: db.db, now, newId }
  const users = createUserStore(stores)
  const models = createModels({
    ...{ baseUrl: endpoint.url, apiKey: 'none', log: silent },
    ...{ environment: { model_name: 'gpt-4.1', top_p: 0.9 }, allowedModels: [] },
  })
  const prompts: PromptService = createPromptService({ registry, log: silent })
  const weather = createWeatherService({
    client: createWeatherClient({
      baseUrl: 'http://127.0.0.1:9',
      apiKey: undefined,
      timeoutMs: 100,
      now,
      fetch,
    }),
    ...{ currentTtlMs: 0, forecastTtlMs: 0, now },
  })
  const memory: readonly AssistantTool[] = createMemoryTools({
    memories: createMemoryStore(stores),
    limits: { perConversation: 10, perHour: 25 },
    reads: createRateLimit({ perWindow: 10, windowMs: 60_000, now }),
    log: silent,
  })
  const tools: SpecialistTools = { memory, weather: createWeatherTools(weather) }
  return {
    ...{ endpoint, prompts, models, tools, users },
    service: (of: UserStore) =>
      createChatService({
        ...{ prompts, models, tools, log: silent, users: of, conversations: createConversationStore(stores) },
        ...{ isDemo: false, timeoutMs: 20_000, historyTokenBudget: 4000 },
      }),
    async [Symbol.asyncDispose]() {
      await endpoint.close()
      await db.close()
    },
  }
}
