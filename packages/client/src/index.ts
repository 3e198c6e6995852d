export * from './errors.ts'
export type * from './follow-api.ts'
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
export { createRegistry } from './registry.ts'
export type * from './registry-api.ts'
export type * from './run-api.ts'
export { DEFAULT_TRACKING_URI } from './settings.ts'
export type * from './snapshot-port.ts'
export type * from './telemetry.ts'
export type * from './transport.ts'
export type * from './typed.ts'
