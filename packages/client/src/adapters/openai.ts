/**
 * Call parameters for the `openai` package (and what speaks its protocol): chat completions, and responses.
 * @module
 */
export type { AdapterOptions, AdapterPrompt, TextOptions } from './adapter.ts'
export { type ChatCompletionOptions, type ChatCompletionParams, toChatCompletion } from './openai-chat.ts'
export { type ResponseOptions, type ResponseParams, toResponse } from './openai-responses.ts'
