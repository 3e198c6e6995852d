export { digestOf, fingerprintOf } from './digest.ts'
export * from './errors.ts'
export type { Logger } from './log.ts'
export { createMlflowTransport, type MlflowOptions } from './mlflow.ts'
export type * from './options.ts'
export type {
  ChatMessage,
  Json,
  JsonObject,
  Lineage,
  ModelConfig,
  Prompt,
  PromptInfo,
  PromptSet,
  PromptSource,
  PromptVersion,
  Template,
} from './prompt.ts'
export { formatReference, parseReference, type Reference } from './reference.ts'
export { createRegistry, type Registry } from './registry.ts'
export { formatTemplate, variablesOf } from './template.ts'
export type * from './transport.ts'
