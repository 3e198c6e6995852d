import { LIMIT } from '@promptkeep/client/protocol'

/*
 * The contents of a prompt, as the OpenAPI document describes them. The client's validators judge them, with a path to
 * the field that is wrong.
 */

const nullableText = { type: ['string', 'null'] as ('string' | 'null')[] }

const MESSAGE = {
  type: 'object' as const,
  description: 'a chat message in OpenAI’s form; further fields are kept',
  properties: {
    role: { type: 'string' as const, minLength: 1, description: 'system, user, assistant, tool, …' },
    content: {
      anyOf: [
        { type: 'string' as const },
        { type: 'array' as const, items: { type: 'object' as const } },
        { type: 'null' as const },
      ],
      description: 'a text; parts of the types text, image_url, input_audio and reasoning; or nothing',
    },
    name: { ...nullableText, description: 'who speaks' },
    tool_calls: {
      type: ['array', 'null'] as ('array' | 'null')[],
      items: { type: 'object' as const },
      description: 'calls of tools: each an object of id, type and function',
    },
    tool_call_id: { ...nullableText, description: 'which call this answers' },
    refusal: { ...nullableText, description: 'what a model said instead' },
  },
  required: ['role'],
}

export const TEMPLATE = {
  anyOf: [
    { type: 'string' as const, minLength: 1, maxLength: LIMIT.text },
    { type: 'array' as const, items: MESSAGE, minItems: 1 },
  ],
}

const number = { type: 'number' as const }
const count = { type: 'integer' as const, minimum: 1 }

export const MODEL_CONFIG = {
  properties: {
    provider: { type: 'string' as const, description: 'e.g. openai' },
    model_name: { type: 'string' as const, description: 'as the provider calls it' },
    temperature: { ...number, minimum: 0, description: 'how freely it chooses' },
    max_tokens: { ...count, description: 'length of an answer, at most' },
    top_p: { ...number, minimum: 0, maximum: 1, description: 'share of the likeliest words to choose from' },
    top_k: { ...count, description: 'number of the likeliest words to choose from' },
    frequency_penalty: { ...number, description: 'against words that were often there' },
    presence_penalty: { ...number, description: 'against words that were there' },
    stop_sequences: {
      type: 'array' as const,
      items: { type: 'string' as const },
      description: 'texts that end an answer',
    },
  },
}

export const TAGS = {
  additionalProperties: { type: 'string' as const, maxLength: LIMIT.tagValue },
}
