// One prompt, the parameters of each SDK: settings, messages and response format by the names that it has for them.
import { createRegistry } from '@promptkeep/client'
import { toGenerateText } from '@promptkeep/client/ai-sdk'
import { toMessage } from '@promptkeep/client/anthropic'
import { toChatCompletion, toResponse } from '@promptkeep/client/openai'
import { toAgentOptions } from '@promptkeep/client/openai-agents'
import OpenAI from 'openai'

const registry = createRegistry()
await registry.seed({
  summary: {
    template: 'Summarise in one sentence: {{ text }}',
    modelConfig: { model_name: 'gpt-5-mini', max_tokens: 300, stop_sequences: ['END'] },
  },
})
const prompt = await registry.load('summary')
const values = { text: 'Once upon a time …' }

const openai = new OpenAI() // OPENAI_API_KEY, OPENAI_BASE_URL
const completion = await openai.chat.completions.create(toChatCompletion(prompt, values))
console.log(completion.choices[0]?.message.content) // A summary.

console.log(toGenerateText(prompt, values).stopSequences?.join()) // END
console.log(toMessage(prompt, values, { model: 'claude-haiku-4-5' }).max_tokens) // 300
console.log(toAgentOptions(prompt, values, { api: 'chat' }).modelSettings.maxTokens) // 300

// Responses know no stop sequences. No setting is left out unseen: the error names it, and both ways out.
const refused = await Promise.resolve()
  .then(() => toResponse(prompt, values))
  .catch((error) => error)
console.log(refused.code) // INVALID_INPUT
console.log(toResponse(prompt, values, { omit: ['stop_sequences'] }).max_output_tokens) // 300

await registry.close()
