/**
 * For tests: one run of the agents, with the bundled prompts in a registry in memory and a scripted model.
 * @module
 */
import { tool } from '@openai/agents'
import { createRegistry, type ModelConfig } from '@promptkeep/client'
import { createMemoryTransport, type MemoryTransport } from '@promptkeep/client/testing'
import { z } from 'zod'
import type { AssistantContext, AssistantTool } from './agents/context.ts'
import type { AgentDeps } from './agents/prompted-agent.ts'
import { createRunRecord, type ToolStatus } from './agents/run-record.ts'
import { type ModelEndpoint, type Respond, startModelEndpoint } from './model-endpoint.ts'
import { createModels } from './models.ts'
import { PROMPT_DEFAULTS } from './prompt-defaults.ts'
import { createPromptService, type PromptService, registryLog } from './prompt-service.ts'

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly event: string
  readonly [field: string]: unknown
}

/** A logger that keeps its lines. */
export function createTestLog() {
  const lines: LogLine[] = []
  const at = (level: LogLine['level']) => (fields: object, event: string) => {
    lines.push({ level, event, ...fields })
  }
  return { lines, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } }
}

const Anything = z.object({ query: z.string().nullish() })

/** A tool that answers with `result`, or throws it, whatever it is asked. */
export const fixedTool = (name: string, result: string | Error): AssistantTool =>
  tool<typeof Anything, AssistantContext, string>({
    name,
    description: name,
    parameters: Anything,
    async execute() {
      if (result instanceof Error) throw result
      return result
    },
  })

export interface TestRun extends AsyncDisposable {
  readonly deps: AgentDeps
  readonly context: AssistantContext
  readonly endpoint: ModelEndpoint
  readonly transport: MemoryTransport
  readonly service: PromptService
  readonly lines: readonly LogLine[]
  readonly statuses: readonly ToolStatus[]
  /** Gives up the run, as a user who goes away does. */
  abort(): void
}

export interface TestRunOptions {
  readonly respond: Respond
  /** Changes the registry between seeding and the run. */
  readonly before?: (transport: MemoryTransport) => Promise<unknown>
  readonly request?: ModelConfig
  readonly environment?: ModelConfig & { readonly model_name: string }
  readonly allowedModels?: readonly string[]
  readonly sendLineage?: boolean
}

export async function startTestRun(options: TestRunOptions): Promise<TestRun> {
  const { lines, log } = createTestLog()
  const transport = createMemoryTransport()
  const registry = createRegistry({
    transport,
    defaults: PROMPT_DEFAULTS,
    logger: registryLog(log),
    env: {},
  })
  const service = createPromptService({ registry, log, defaults: PROMPT_DEFAULTS })
  await service.seedPrompts()
  await options.before?.(transport)

  const endpoint = await startModelEndpoint({ respond: options.respond, record: true })
  const models = createModels({
    baseUrl: endpoint.url,
    apiKey: 'none',
    environment: options.environment ?? { model_name: 'test-model' },
    allowedModels: options.allowedModels ?? [],
    sendLineage: options.sendLineage ?? false,
    log,
  })
  const statuses: ToolStatus[] = []
  const run = await service.loadRun({ correlationId: 'test-run' })
  const record = createRunRecord((status) => statuses.push(status))
  const gone = new AbortController()
  return {
    deps: { run, record, models, log, ...(options.request ? { request: options.request } : {}) },
    context: {
      correlationId: 'test-run',
      userId: 'ada',
      conversationId: null,
      signal: gone.signal,
      run,
      record,
    },
    endpoint,
    transport,
    service,
    lines,
    statuses,
    abort: () => gone.abort(),
    async [Symbol.asyncDispose]() {
      await registry.close()
      await endpoint.close()
    },
  }
}
