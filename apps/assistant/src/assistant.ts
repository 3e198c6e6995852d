import { createRegistry, type Logger, type Registry } from '@promptkeep/client'
import { snapshotFile } from '@promptkeep/client/snapshot'
import { sql } from 'kysely'
import type { SpecialistTools } from './agents/context.ts'
import { type ChatService, createChatService } from './chat-service.ts'
import type { Config, Env } from './config.ts'
import { type ConversationStore, createConversationStore } from './db/conversations.ts'
import { openAssistantDatabase } from './db/open.ts'
import { createUserStore, type UserStore } from './db/users.ts'
import { DEMO_MODEL, startDemoModel } from './demo-model.ts'
import { createModels } from './models.ts'
import { PROMPT_DEFAULTS } from './prompt-defaults.ts'
import { createPromptService, type PromptService, registryLog } from './prompt-service.ts'
import { createTools, type ToolDeps } from './tools/create-tools.ts'

/** Everything of the outside world that an assistant touches. */
export interface AssistantDeps {
  readonly log: Logger
  /** Where the registry's credentials are read from, as MLflow's own client reads them. */
  readonly env: Env
  readonly fetch: typeof fetch
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly newId: () => string
  /** Evals: no bundled text answers. Default false. */
  readonly strictPrompts?: boolean
  /** Evals: makes the tools, so that each user has a world of their own behind them. Default: {@link createTools}. */
  readonly createTools?: (deps: ToolDeps) => SpecialistTools
}

/** The assistant without its HTTP door: what `start` serves, and what evals run against. */
export interface Assistant {
  readonly chat: ChatService
  readonly conversations: ConversationStore
  readonly users: UserStore
  readonly prompts: PromptService
  readonly model: { readonly name: string; readonly isDemo: boolean }
  /** Models that a request may name. */
  readonly allowedModels: readonly string[]
  /** Rejects when the database cannot be read. */
  checkDatabase(): Promise<void>
  /** Ends the turns under way, then closes what is open. */
  close(): Promise<void>
}

/** @throws {SqlError} when the database cannot be opened. The registry is not asked yet. */
export async function createAssistant(config: Config, deps: AssistantDeps): Promise<Assistant> {
  const { log, now, newId } = deps
  const database = await openAssistantDatabase(config.ASSISTANT_DATABASE)
  const model = await chooseModel(config)
  // the demo model answers as itself: under another name, an eval of that model would pass on its account
  const allowedModels = model.isDemo ? [model.name] : [...new Set([model.name, ...config.ALLOWED_MODELS])]
  const registry = createRegistry({
    trackingUri: config.MLFLOW_TRACKING_URI,
    alias: config.PROMPT_ALIAS,
    cacheTtlSeconds: config.PROMPT_CACHE_TTL_SECONDS,
    defaults: PROMPT_DEFAULTS,
    strict: deps.strictPrompts ?? false,
    logger: registryLog(log),
    env: deps.env,
    ...(config.PROMPT_SNAPSHOT_FILE ? { snapshot: snapshotFile(config.PROMPT_SNAPSHOT_FILE) } : {}),
    promptsFolder: 'apps/assistant/prompts', // where people edit, as the command line is run: from the repository
  })
  const prompts = createPromptService({
    ...{ registry, log, now },
    defaults: deps.strictPrompts ? undefined : PROMPT_DEFAULTS,
  })
  const conversations = createConversationStore({ db: database.db, now, newId })
  const users = createUserStore({ db: database.db, now })
  const models = createModels({
    baseUrl: model.baseUrl,
    apiKey: model.apiKey,
    environment: environmentSettings(config, model.name),
    allowedModels,
    sendLineage: model.isDemo,
    log,
    fetch: deps.fetch,
  })
  const chat = createChatService({
    ...{ prompts, models, conversations, users, log, isDemo: model.isDemo },
    tools: (deps.createTools ?? createTools)({ config, db: database.db, log, now, newId, fetch: deps.fetch }),
    timeoutMs: config.TIMEOUT_SECONDS * 1000,
    historyTokenBudget: config.HISTORY_TOKEN_BUDGET,
  })

  return {
    ...{ chat, conversations, users, prompts },
    model: { name: model.name, isDemo: model.isDemo },
    allowedModels,
    async checkDatabase() {
      await sql`select 1 from users limit 1`.execute(database.db)
    },
    close: () => closeAll(chat, registry, model.close, database.close),
  }
}

async function closeAll(chat: ChatService, registry: Registry, ...closes: readonly (() => Promise<void>)[]) {
  await chat.close() // turns under way still write
  await registry.close()
  for (const close of closes) await close()
}

interface ChosenModel {
  readonly name: string
  readonly baseUrl: string
  readonly apiKey: string
  readonly isDemo: boolean
  close(): Promise<void>
}

/** The endpoint that was configured; without a key, the demo model on a free port. */
async function chooseModel(config: Config): Promise<ChosenModel> {
  if (config.OPENAI_API_KEY) {
    const { OPENAI_MODEL: name, OPENAI_BASE_URL: baseUrl, OPENAI_API_KEY: apiKey } = config
    return { name, baseUrl, apiKey, isDemo: false, close: async () => {} }
  }
  const endpoint = await startDemoModel()
  return {
    name: DEMO_MODEL,
    baseUrl: endpoint.url,
    apiKey: 'none',
    isDemo: true,
    close: () => endpoint.close(),
  }
}

/** The lowest layer of an agent's settings, in MLflow's words. */
const environmentSettings = ({ TEMPERATURE, MAX_TOKENS }: Config, model_name: string) => ({
  model_name,
  ...(TEMPERATURE === undefined ? {} : { temperature: TEMPERATURE }),
  ...(MAX_TOKENS === undefined ? {} : { max_tokens: MAX_TOKENS }),
})
