// A registry that is gone: the app's own text answers, says so, and the true cause is known.
import { createServer } from 'node:http'
import { createRegistry } from '@promptkeep/client'

const server = createServer(() => undefined).listen(0, '127.0.0.1') // takes every request, and never answers
await new Promise((resolve) => server.once('listening', resolve))
const address = server.address()
const port = typeof address === 'object' ? address?.port : undefined

const registry = createRegistry({
  trackingUri: `http://127.0.0.1:${port}`,
  timeoutMs: 200, // the longest wait of a load, retries included
  defaults: { greeter: 'Greet {{ who }} in one sentence.' },
})
const prompt = await registry.load('greeter')
console.log(prompt.source, prompt.isFallback, prompt.version) // default true 0
console.log(prompt.format({ who: 'Ada' })) // Greet Ada in one sentence.

const { state, lastFallback } = registry.status() // for readiness checks
console.log(state, lastFallback?.prompt, lastFallback?.code) // down greeter TIMEOUT

// What has no default, and may not have one, is an error with a code that stays the same.
const code = await registry.load('farewell').catch((error) => error.code)
console.log(code) // TIMEOUT

await registry.close()
server.closeAllConnections()
server.close()
