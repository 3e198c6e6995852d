import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { promisify } from 'node:util'
import { serve } from '@hono/node-server'
import type { SeedReport } from '@promptkeep/client'
import { createApp } from './app.ts'
import { type AssistantDeps, createAssistant } from './assistant.ts'
import type { Config } from './config.ts'

export interface RunningAssistant {
  readonly url: string
  /** The demo model answers. */
  readonly isDemo: boolean
  readonly seeding: SeedReport
  /** Why the seeding did not get everywhere, in the registry's words. */
  readonly seedingError: string | undefined
  /** Ends streams, takes nothing new, then closes what is open. A second call waits for the first. */
  stop(): Promise<void>
}

/** The assistant cannot start, in words for the person who started it. */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/** The same after a restart, and another for each that runs; of the characters that a fleet takes. */
const instanceName = (port: number) =>
  `${hostname()
    .replaceAll(/[^\w.-]/g, '-')
    .slice(0, 80)}:${port}`

/** There is no log-in yet, so nothing but this machine may reach it. */
const HOST = '127.0.0.1'

/**
 * Database, then seeding within its budget, then the port; the registry is followed from then on. One that is down costs
 * a warning, not the start.
 * @throws {SqlError} for the database, {@link StartError} for the port.
 */
export async function start(config: Config, deps: AssistantDeps): Promise<RunningAssistant> {
  const { log } = deps
  const assistant = await createAssistant(config, deps)
  const { chat, conversations, users, prompts, model, allowedModels, checkDatabase } = assistant
  if (model.isDemo && deps.env.OPENAI_BASE_URL) {
    log.warn({ reason: 'OPENAI_API_KEY is not set' }, 'model.base_url_ignored')
  }
  const seeding = await prompts.seedPrompts()
  const seedingError = seeding.failed.length > 0 ? prompts.status().lastError?.message : undefined
  const app = createApp({
    ...{ chat, conversations, users, model, allowedModels, checkDatabase, log },
    ...{ now: deps.now, newId: deps.newId },
    allowPromptOverride: config.ALLOW_PROMPT_OVERRIDE,
    heartbeatMs: config.HEARTBEAT_SECONDS * 1000,
    registryStatus: prompts.status,
  })
  const server = await listen(app.fetch, config.ASSISTANT_PORT).catch(async (error: unknown) => {
    await assistant.close()
    throw error
  })
  const { port } = server.address() as AddressInfo
  const url = `http://${HOST}:${port}`
  await prompts.follow({ app: 'assistant', instance: instanceName(port) })
  log.info({ url, model: model.name, isDemo: model.isDemo }, 'assistant.started')

  async function stop() {
    log.info({ url }, 'assistant.stopping')
    // 1. no new connections; `close` alone would wait for open streams for ever
    const closed = promisify(server.close.bind(server))()
    const sweep = setInterval(() => server.closeIdleConnections(), 50) // else keep-alive holds it for seconds
    const cut = setTimeout(() => server.closeAllConnections(), config.SHUTDOWN_GRACE_SECONDS * 1000)
    await chat.close() // 2. end the streams; what was said is stored
    await closed.finally(() => {
      clearInterval(sweep)
      clearTimeout(cut)
    })
    await assistant.close() // 3. nobody can need the database now
    log.info({ url }, 'assistant.stopped')
  }
  let stopping: Promise<void> | undefined
  return {
    ...{ url, isDemo: model.isDemo, seeding, seedingError },
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

/** @throws {StartError} */
function listen(fetch: Parameters<typeof serve>[0]['fetch'], port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, hostname: HOST, port }, () => resolve(server)) as Server
    server.once('error', (error: NodeJS.ErrnoException) => {
      const hint =
        error.code === 'EADDRINUSE'
          ? 'something else listens there; stop it, or set ASSISTANT_PORT'
          : error.code === 'EACCES'
            ? 'this user may not use the port; set ASSISTANT_PORT to one above 1023'
            : error.message
      reject(new StartError(`Cannot listen on ${HOST}:${port}: ${hint}`, { cause: error }))
    })
  })
}
