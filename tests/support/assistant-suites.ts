import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { createRegistry } from '@promptkeep/client'
import { parsePromptFile } from '@promptkeep/client/files'
import {
  createEvalDeps,
  type EvalOptions,
  type EvalReport,
  type LoadedSuite,
  loadSuite,
  runSuite,
} from '@promptkeep/evals'
import { parse } from 'yaml'
import { type Respond, startModelEndpoint } from '../../apps/assistant/src/model-endpoint.ts'
import { PROMPT_DEFAULTS } from '../../apps/assistant/src/prompt-defaults.ts'
import { startRegistry } from './registry.ts'
import { type Performance, scripted } from './scripted-assistant.ts'
import type { Answers } from './suite-performance.ts'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export const SUITES_FOLDER = at('../../apps/assistant/evals/')
export const suitePath = (name: string): string => `${SUITES_FOLDER}${name}.yaml`

/** Reads and checks a suite of the assistant; nothing is asked. */
export const readSuite = (name: string) => loadSuite({ suite: suitePath(name) }, { fetch })

export const readAnswers = async (name: string): Promise<Answers> =>
  parse(await readFile(at(`./eval-answers/${name}.yaml`), 'utf8')) as Answers

export interface AssistantSuites {
  /** Runs a suite of the assistant through its production entry point, with the one trial a case that a script needs. */
  run(
    name: string,
    performance: Performance,
    options?: Partial<EvalOptions>,
    /** What is run in place of the suite as it is written. */
    change?: (suite: LoadedSuite) => LoadedSuite,
  ): Promise<EvalReport>
  /** Of the registry. */
  readonly url: string
  /** What the assistant is made from. */
  readonly env: Readonly<Record<string, string>>
  stop(): Promise<void>
}

/**
 * A registry with the assistant's prompts and the judge's, and a model that plays what a test gives it.
 * @param options.now - By which runs measure how long an answer took.
 * @param options.settings - Of the assistant, beside those that name the model.
 */
export async function startAssistantSuites(
  options: { readonly now?: () => number; readonly settings?: Readonly<Record<string, string>> } = {},
): Promise<AssistantSuites> {
  const { now = Date.now, settings: own = {} } = options
  const server = await startRegistry()
  const settings = { trackingUri: server.url, env: {}, timeoutMs: 10_000, strict: true, cacheTtlSeconds: 0 }
  const registry = createRegistry({ ...settings, defaults: PROMPT_DEFAULTS })
  await registry.seed()
  const path = at('../../packages/evals/prompts/eval-judge.md')
  const { name, template, modelConfig = {} } = parsePromptFile(await readFile(path, 'utf8'), path)
  const { version } = await registry.register({ name, template, modelConfig })
  await registry.setAlias(name, 'production', version)

  let respond: Respond = () => ({ status: 503, message: 'nothing is played' })
  const model = await startModelEndpoint({ respond: (request) => respond(request) })
  const env = { ...own, OPENAI_BASE_URL: model.url, OPENAI_API_KEY: 'none', OPENAI_MODEL: 'scripted' }
  return {
    url: server.url,
    env,
    async run(suite, performance, options = {}, change = (loaded) => loaded) {
      respond = scripted(performance)
      const loaded = await loadSuite(
        { suite: suitePath(suite), trials: 1, concurrency: 8, judgeModel: 'scripted-judge', ...options },
        { fetch },
      )
      return runSuite(change(loaded), { ...createEvalDeps({ registry, trackingUri: server.url, env }), now })
    },
    async stop() {
      await model.close()
      await registry.close()
      await server.stop()
    },
  }
}
