import { createRegistry } from '@promptkeep/client'
import { silent } from '@promptkeep/client/protocol'
import { readConfig } from './config.ts'
import { PROMPT_DEFAULTS } from './prompt-defaults.ts'
import { createPromptService, type PromptService } from './prompt-service.ts'

/**
 * The prompt service of whoever imports an old constant: such code passes nothing in, so there is one per process,
 * made from the environment by the first call. This is the assistant's only module-level state; everything that
 * `main.ts` builds is handed its own service.
 */
export const processPrompts: () => PromptService = once(() => {
  const config = readConfig(process.env)
  const registry = createRegistry({
    trackingUri: config.MLFLOW_TRACKING_URI,
    alias: config.PROMPT_ALIAS,
    cacheTtlSeconds: config.PROMPT_CACHE_TTL_SECONDS,
    defaults: PROMPT_DEFAULTS,
  })
  return createPromptService({ registry, log: silent })
})

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
