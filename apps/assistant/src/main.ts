import { randomUUID } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { hasCode } from '@promptkeep/client/protocol'
import type { AssistantDeps } from './assistant.ts'
import { type Config, ConfigError, type Env, readConfig } from './config.ts'
import { createLog } from './log.ts'
import type { RunningAssistant } from './start.ts'

export { type Config, ConfigError, readConfig } from './config.ts'
export type { RunningAssistant, StartError } from './start.ts'

/**
 * Starts the assistant. The app is loaded only now: it reads its prompt files while it loads, and a broken one is to
 * reach whoever starts it, not end the process on its import.
 * @throws {SqlError} for the database, {@link StartError} for the port, {InvalidInput} for a prompt file
 */
export async function start(config: Config, deps: AssistantDeps): Promise<RunningAssistant> {
  const app = await import('./start.ts')
  return app.start(config, deps)
}

/** Where a command speaks: the JSON log goes to standard output, words for people here. */
type Say = (line: string) => void

/**
 * Starts the assistant from the environment.
 * @returns Its exit code: 0 after a signal, 2 when it cannot start.
 */
async function main(env: Env, say: Say): Promise<number> {
  const config = configOrUndefined(env, say)
  if (!config) return 2
  const signal = nextSignal()
  let assistant: RunningAssistant
  try {
    assistant = await start(config, {
      log: createLog(config.LOG_LEVEL),
      env,
      fetch,
      now: Date.now,
      newId: randomUUID,
    })
  } catch (error) {
    say(`The assistant cannot start: ${error instanceof Error ? error.message : String(error)}`)
    if (!isExpected(error)) throw error
    return 2
  }
  const { url, isDemo, seeding, seedingError = 'it gave no reason' } = assistant
  const { seeded, skipped, healed, failed } = seeding
  say(`seeded=${seeded.length + healed.length} skipped=${skipped.length}`)
  if (failed.length > 0) {
    say(
      `The registry at ${config.MLFLOW_TRACKING_URI} did not take ${failed.length} prompts; bundled texts answer, and it is tried again.`,
    )
    say(`Why: ${seedingError}`)
  }
  if (isDemo) say('No OPENAI_API_KEY: the demo model answers.')
  say(`The assistant is listening on ${url}`)
  await signal
  await assistant.stop()
  return 0
}

function configOrUndefined(env: Env, say: Say): Config | undefined {
  try {
    return readConfig(env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    say(`The assistant cannot start: ${error.message}`)
    return undefined
  }
}

/** Errors whose message tells a person all there is to know. */
const isExpected = (error: unknown) =>
  hasCode(error, 'INVALID_INPUT') ||
  (error instanceof Error && ['StartError', 'SqlError'].includes(error.name))

/** The first signal to stop. A second one ends the process at once. */
const nextSignal = () =>
  new Promise<void>((resolve) => {
    let isStopping = false
    // It goes on listening: @openai/agents ends the process when it finds itself alone with a signal, under the
    // answers that are still being stored.
    const stop = (signal: NodeJS.Signals) => {
      if (isStopping) process.exit(128 + constants.signals[signal])
      isStopping = true
      resolve()
    }
    process.on('SIGINT', stop).on('SIGTERM', stop)
    // Started by a script over an ipc channel, which closes when the script is gone; it keeps nobody alive.
    process.once('disconnect', () => stop('SIGTERM'))
    process.channel?.unref()
  })

const isCommand =
  process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)
if (isCommand) {
  process.exitCode = await main(process.env, (line) => process.stderr.write(`${line}\n`))
}
