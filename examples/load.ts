import { createRegistry } from '@promptkeep/client'

const registry = createRegistry({
  trackingUri: process.env.MLFLOW_TRACKING_URI ?? 'http://127.0.0.1:5055', // or any MLflow server
  defaults: { greeter: 'Greet {{ who }} in one sentence.' }, // seed, and last fallback
})
await registry.seed()

const prompt = await registry.load('greeter') // follows the alias `production`
console.log(prompt.format({ who: 'Ada' })) // Greet Ada in one sentence.
console.log(prompt.version) // 1
console.log(prompt.source) // 'registry', later 'cache'; 'stale' or 'default' when the registry is down

await registry.close()
