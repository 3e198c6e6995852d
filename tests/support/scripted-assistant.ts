import type { ChatRequest, ModelReply, Respond } from '../../apps/assistant/src/model-endpoint.ts'

/** A hand-over to a specialist, and what it does there. */
export interface HandOver {
  readonly to: 'memory' | 'weather'
  readonly request: string
  readonly calls: readonly ScriptedCall[]
  /** What it does next, from what came back. */
  readonly next?: (results: readonly string[]) => readonly ScriptedCall[]
}

export interface ScriptedCall {
  readonly name: string
  readonly arguments: Readonly<Record<string, unknown>>
}

/** What the assistant does with one message. */
export interface Act {
  readonly handOvers?: readonly HandOver[] | undefined
  /** From what the specialists came back with, where it depends on that. */
  readonly answer: string | ((results: readonly string[]) => string)
}

/** Everything that the model of the assistant is asked about one message. */
export interface Moment {
  /** The user's last message, as the model sees it. */
  readonly message: string
  /** What the user said before, oldest first. */
  readonly before: readonly string[]
  readonly instructions: string
}

/** What a judge is shown. */
export interface Evidence {
  readonly asked: string
  readonly expected: string | null
  readonly conversation: readonly { readonly role: string; readonly content: string }[] | null
  readonly answer: string
}

export interface Performance {
  act(moment: Moment): Act
  /** 1 is the best of the grades, 0 the worst. Default: always the best. */
  opinion?(evidence: Evidence): 0 | 1
}

/**
 * A model that plays the assistant, its specialists and the judge from a script: everything between the models is the real
 * thing, so that a suite is run as it would be with a model that can do all this by itself.
 */
export function scripted({ act, opinion = () => 1 }: Performance): Respond {
  // What a specialist is to do is in no request that it gets: it is kept by the hand-over that the orchestrator wrote.
  const plans = new Map<string, Pick<HandOver, 'calls' | 'next'>>()
  let handed = 0

  function asOrchestrator(body: ChatRequest): ModelReply {
    const said = body.messages.filter(({ role }) => role === 'user').map(({ content }) => textOf(content))
    const instructions = textOf(body.messages.find(({ role }) => role === 'system')?.content)
    const { handOvers = [], answer } = act({
      message: said.at(-1) ?? '',
      before: said.slice(0, -1),
      instructions,
    })
    const results = resultsAtTheEnd(body)
    if (!results && handOvers.length > 0)
      return {
        toolCalls: handOvers.map(({ to, request, calls, next }) => {
          const input = `${request} (hand-over ${++handed})`
          plans.set(input, next ? { calls, next } : { calls })
          return { name: `ask_${to}_agent`, arguments: { input } }
        }),
      }
    return { content: typeof answer === 'string' ? answer : answer(results ?? []) }
  }

  function asSpecialist(body: ChatRequest): ModelReply {
    const results = resultsAtTheEnd(body)
    const input = textOf(body.messages.findLast(({ role }) => role === 'user')?.content)
    const plan = plans.get(input)
    plans.delete(input)
    const calls = results ? (plan?.next?.(results) ?? []) : (plan?.calls ?? [])
    if (calls.length === 0) return { content: results?.join('\n') || 'Nothing to do.' }
    if (!results && plan?.next) plans.set(input, { calls: [], next: plan.next })
    return { toolCalls: calls.map((call) => ({ ...call, arguments: complete(body, call) })) }
  }

  return ({ body }) => {
    if ('response_format' in body) return asJudge(body, opinion)
    const has = (name: string) => body.tools?.some((tool) => tool.function.name === name) ?? false
    return has('query_memory_tool') || has('get_weather') ? asSpecialist(body) : asOrchestrator(body)
  }
}

function asJudge(body: ChatRequest, opinion: NonNullable<Performance['opinion']>): ModelReply {
  const evidence = JSON.parse(
    textOf(body.messages.findLast(({ role }) => role === 'user')?.content),
  ) as Evidence
  const format = body.response_format as {
    readonly json_schema: {
      readonly schema: { readonly properties: { readonly grade?: { readonly enum: string[] } } }
    }
  }
  const said = opinion(evidence)
  const grades = format.json_schema.schema.properties.grade?.enum
  const judged = grades ? { grade: said === 1 ? grades.at(-1) : grades[0] } : { score: said }
  return {
    content: JSON.stringify({
      reason: said === 1 ? 'As the script has it.' : 'Not in the script.',
      ...judged,
    }),
  }
}

/** A strict schema wants every field: what a call leaves out is null. */
function complete(body: ChatRequest, call: HandOver['calls'][number]): Record<string, unknown> {
  const schema = body.tools?.find((tool) => tool.function.name === call.name)?.function.parameters
  const missing = (schema?.required ?? []).filter((key) => !(key in call.arguments)).map((key) => [key, null])
  return { ...call.arguments, ...Object.fromEntries(missing) }
}

/** The results that a request is to be answered from; `undefined` when it ends with something else. */
function resultsAtTheEnd({ messages }: ChatRequest): string[] | undefined {
  const start = messages.findLastIndex(({ role }) => role !== 'tool') + 1
  return start < messages.length ? messages.slice(start).map(({ content }) => textOf(content)) : undefined
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map((part: { text?: string }) => part.text ?? '').join('')
}
