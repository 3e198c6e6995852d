import { describeTransport } from './conformance.ts'
import { createMemoryTransport } from './memory.ts'

describeTransport('memory', async () => ({ transport: createMemoryTransport() }))
