import { createRegistry } from '@promptkeep/client'
import { createLogRecorder, createMemoryTransport } from '@promptkeep/client/testing'

const transport = createMemoryTransport() // a registry without a server
const log = createLogRecorder() // a logger that prints nothing and remembers all
const registry = createRegistry({ transport, logger: log.logger, defaults: { memory: 'Bundled' } })
await registry.seed()

console.log((await registry.load('memory')).source) // registry
transport.fault({ kind: 'hang' }) // from now on nobody answers
const prompt = await registry.load('memory', { alias: 'experiment', timeoutMs: 100 })
console.log(prompt.source, prompt.isFallback) // default true
console.log(log.of('prompt.fell_back')[0]?.fields.code) // TIMEOUT
await registry.close()
