/**
 * For tests of programs that load prompts: a registry in memory, with faults on demand.
 * @module
 */

export { createLogRecorder, type LogLine, type LogRecorder } from './log-recorder.ts'
export {
  type Call,
  createMemoryTransport,
  type Fault,
  type MemoryOptions,
  type MemoryTransport,
} from './memory.ts'
export { createTestRegistry, type TestRegistry, type TestRegistryOptions } from './test-registry.ts'
