import {
  type ChatRequest,
  type ChatTool,
  type ModelEndpoint,
  type ModelReply,
  type RecordedRequest,
  startModelEndpoint,
} from './model-endpoint.ts'
import { LINEAGE_HEADER } from './models.ts'

/** The name of the model that answers when nobody brought one. */
export const DEMO_MODEL = 'demo'

/** Stands in for a language model until there is a key: three rules, no understanding, and it says so. */
export const startDemoModel = (options: { readonly port?: number } = {}): Promise<ModelEndpoint> =>
  startModelEndpoint({ ...options, respond: demoReply })

/** Which agent asks is read from the tools it brings; what it is told, from the last message. */
export function demoReply({ body, headers }: RecordedRequest): ModelReply {
  const asked = lastOf(body, 'user')
  const results = resultsAtTheEnd(body)
  const has = (name: string) => body.tools?.some((tool) => tool.function.name === name) ?? false

  if (has('query_memory_tool')) return results ? { content: memoryReport(results) } : memoryCall(body, asked)
  if (has('get_weather')) return results ? { content: results.join('\n') } : weatherCall(body, asked)
  if (results) return { content: signed(results.join('\n'), headers) }
  if (has('ask_memory_agent') && (wantsSaving(asked) || wantsRecall(asked))) {
    return { toolCalls: [{ name: 'ask_memory_agent', arguments: { input: asked } }] }
  }
  if (has('ask_weather_agent') && weatherPlace(asked)) {
    return { toolCalls: [{ name: 'ask_weather_agent', arguments: { input: asked } }] }
  }
  return { content: signed(otherwise(body), headers) }
}

/** "What do you remember" asks; "remember that" tells. */
const wantsRecall = (text: string) =>
  /\b(what|anything) do you (know|remember)\b|\bdo you remember\b/i.test(text)
const wantsSaving = (text: string) => !wantsRecall(text) && /\bremember\b/i.test(text)

function memoryCall(body: ChatRequest, asked: string): ModelReply {
  if (wantsSaving(asked)) {
    const said = asked.replace(/^.*?\bremember\b[\s:,]*(that\s+)?/is, '').trim()
    const values = {
      content: `The user says: ${said}`,
      memory_type: 'fact',
      confidence: 0.95,
      importance: 0.5,
    }
    return call(body, 'save_memory_tool', values)
  }
  const topic = asked
    .replace(/^.*?\b(know|remember)\b\s*(about|of)?/is, '')
    .replace(/[?.!\s]+$/, '')
    .trim()
  // An empty search lists what there is: the answer to "what do you know about me?"
  return call(body, 'query_memory_tool', { query: /^(me|myself)?$/i.test(topic) ? '' : topic })
}

/** Says what the memory tools answered, and nothing better. */
function memoryReport(results: readonly string[]): string {
  const lines = results.map((text) => {
    const result = parsed(text)
    if (Array.isArray(result.memories)) {
      if (result.memories.length > 0) {
        return result.memories.map(({ content, context }) => `- ${content} (${context})`).join('\n')
      }
      const error = result.metadata?.error
      return error ? `I could not look: ${error}.` : 'I know nothing about that.'
    }
    if (result.action === 'stored') return `Saved: ${result.content}`
    return result.message ?? text
  })
  return lines.join('\n')
}

function weatherCall(body: ChatRequest, asked: string): ModelReply {
  const location = weatherPlace(asked) ?? ''
  const forecast = /\b(forecast|tomorrow|days?|week)\b/i.test(asked)
  return call(body, 'get_weather', { location, include_forecast: forecast, forecast_days: null })
}

/** A word, then capitalized ones, with the small words of names between them: "Rio de Janeiro", "Oslo, Norway". */
const NAME = String.raw`[\p{L}'’.-]+(?:[ ,]+(?:(?:d[aeo]|del|la|le|am|an|of|the|upon) )?\p{Lu}[\p{L}'’.-]*)*`

/** The place of "weather in Oslo" or "Oslo weather"; without one, nothing is looked up. */
function weatherPlace(text: string): string | undefined {
  if (!/\bweather\b/i.test(text)) return undefined
  const after = new RegExp(String.raw`\b(?:in|for|at|near)\s+(?:the\s+)?(${NAME})`, 'u').exec(text)
  if (after) return after[1]
  return new RegExp(String.raw`(?<![\p{L}])(\p{Lu}${NAME})\s+weather\b`, 'u').exec(text)?.[1]
}

/** Everything else: the tone that the current text of `orchestrator-base` sets, so that a swap shows. */
function otherwise(body: ChatRequest): string {
  return [
    `I am a demo without a language model behind me. The tone I was given: ${toneLine(lastOf(body, 'system'))}`,
    'Try "remember that I take my coffee black", "what do you know about coffee?" or "weather in Oslo".',
  ].join('\n\n')
}

/** The line that says "Tone: …"; else the first line that is not a heading. */
function toneLine(instructions: string): string {
  const lines = instructions.split('\n').map((line) => line.trim())
  const tone = lines.find((line) => /^tone:/i.test(line))?.replace(/^tone:\s*/i, '')
  return tone || lines.find((line) => line !== '' && !line.startsWith('#')) || 'none'
}

/** Ends with the versions that the request came with, as the application said them in a header. */
function signed(content: string, headers: RecordedRequest['headers']): string {
  const given = String(headers[LINEAGE_HEADER.toLowerCase()] ?? '')
  const versions = given
    .split(', ')
    .filter((reference) => reference.includes('/'))
    .map((reference) => {
      const [name, version] = reference.split('/')
      return version === '0' ? `${name} (bundled default)` : `${name} v${version}`
    })
  return `${content}\n\n${['Demo model', ...versions].join(' · ')}`
}

/** Fills the rest of what a strict schema requires with null, and leaves out what the schema does not know. */
function call(body: ChatRequest, name: string, values: Readonly<Record<string, unknown>>): ModelReply {
  const { properties = {}, required = [] } = toolOf(body, name)?.function.parameters ?? {}
  const known = Object.entries(values).filter(([key]) => key in properties)
  const missing = required.filter((key) => !(key in values)).map((key) => [key, null])
  return { toolCalls: [{ name, arguments: Object.fromEntries([...known, ...missing]) }] }
}

const toolOf = (body: ChatRequest, name: string): ChatTool | undefined =>
  body.tools?.find((tool) => tool.function.name === name)

function lastOf({ messages }: ChatRequest, role: string): string {
  return textOf(messages.findLast((message) => message.role === role)?.content)
}

/** The results that this request is to be answered from; undefined when it ends with something else. */
function resultsAtTheEnd({ messages }: ChatRequest): string[] | undefined {
  const start = messages.findLastIndex((message) => message.role !== 'tool') + 1
  return start < messages.length ? messages.slice(start).map(({ content }) => textOf(content)) : undefined
}

/** Content is text, or parts of which some are text. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map((part: { text?: string }) => part.text ?? '').join('')
}

interface MemoryAnswer {
  readonly action?: string
  readonly content?: string
  readonly message?: string
  readonly memories?: readonly { readonly content: string; readonly context: string }[]
  readonly metadata?: { readonly error?: string }
}

function parsed(text: string): MemoryAnswer {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
