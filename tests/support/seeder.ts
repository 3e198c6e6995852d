import { createRegistry } from '@promptkeep/client'
import { PROMPT_DEFAULTS } from '../../apps/assistant/src/prompt-defaults.ts'

// A process that seeds the eleven prompts once it is told to, as an assistant does at its start.
const [trackingUri = ''] = process.argv.slice(2)
const registry = createRegistry({ trackingUri, defaults: PROMPT_DEFAULTS, env: {} })
process.stdout.write('ready\n')
process.stdin.once('data', async () => {
  const report = await registry.seed()
  await registry.close()
  process.stdout.write(`${JSON.stringify(report)}\n`)
  process.stdin.destroy()
})
