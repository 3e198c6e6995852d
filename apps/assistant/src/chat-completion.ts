import type { ChatRequest, ModelReply } from './model-endpoint.ts'

/** A reply that is an answer and not a fault. */
type Answer = Extract<ModelReply, { content: string } | { toolCalls: unknown }>

/** The whole completion, as OpenAI's API answers it. Ids and times carry no information here and are constant. */
export function completion(request: ChatRequest, answer: Answer) {
  return {
    ...head(request, 'chat.completion'),
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: 'content' in answer ? answer.content : null,
          ...('toolCalls' in answer ? { tool_calls: toolCalls(request, answer) } : {}),
        },
        finish_reason: finishReason(answer),
      },
    ],
    usage: usage(request, answer),
  }
}

/** The same answer as the chunks of a stream: text word by word, tool calls whole, usage last. */
export function* completionChunks(request: ChatRequest, answer: Answer) {
  const chunk = (delta: object, finish_reason: string | null = null) => ({
    ...head(request, 'chat.completion.chunk'),
    choices: [{ index: 0, delta, finish_reason }],
  })
  yield chunk({ role: 'assistant', content: '' })
  if ('content' in answer) {
    for (const piece of answer.content.match(/\S+\s*|\s+/g) ?? []) yield chunk({ content: piece })
  } else {
    const calls = toolCalls(request, answer).map((call, index) => ({ index, ...call }))
    yield chunk({ tool_calls: calls })
  }
  yield chunk({}, finishReason(answer))
  yield { ...head(request, 'chat.completion.chunk'), choices: [], usage: usage(request, answer) }
}

const head = ({ model }: ChatRequest, object: string) => ({ id: 'chatcmpl-local', object, created: 0, model })

const finishReason = (answer: Answer) => ('content' in answer ? 'stop' : 'tool_calls')

/** Ids count on over the conversation: two calls of one conversation never share an id. */
function toolCalls({ messages }: ChatRequest, answer: Extract<Answer, { toolCalls: unknown }>) {
  const before = messages.reduce((count, message) => count + (message.tool_calls?.length ?? 0), 0)
  return answer.toolCalls.map((call, index) => ({
    id: `call_${before + index + 1}`,
    type: 'function',
    function: { name: call.name, arguments: JSON.stringify(call.arguments) },
  }))
}

/** An estimate, four characters to a token: nobody is billed by this model. */
function usage({ messages, tools }: ChatRequest, answer: Answer) {
  const tokens = (value: unknown) => Math.ceil(JSON.stringify(value).length / 4)
  const prompt_tokens = tokens(messages) + (tools ? tokens(tools) : 0)
  const completion_tokens = tokens('content' in answer ? answer.content : answer.toolCalls)
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
}
