import { expect, it, vi } from 'vitest'
import { PROMPT_DEFAULTS } from './prompt-defaults.ts'
import { PROMPT_NAME_MAP } from './prompt-map.ts'

it('the old constants are there under their names, and load their prompts from the environment’s registry', async () => {
  vi.stubEnv('MLFLOW_TRACKING_URI', 'http://127.0.0.1:9') // nobody there: the bundled texts answer
  const old = await import('./chat-service.ts')
  for (const [constant, name] of Object.entries(PROMPT_NAME_MAP)) {
    const load = old[constant as keyof typeof PROMPT_NAME_MAP]
    expect(await load()).toBe(PROMPT_DEFAULTS[name].template)
  }
  vi.unstubAllEnvs()
})
