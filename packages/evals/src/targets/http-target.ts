import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { z } from 'zod'
import { messageOf } from '../errors.ts'
import type { Target, TargetCase, TargetOptions, TargetResult } from '../target.ts'

type Problem = NonNullable<TargetResult['error']>
type Answer = Omit<TargetResult, 'messages'>

/** The last event of a chat stream. Further keys are ignored: an endpoint may say more. */
const Done = z.object({
  conversationId: z.string().nullish(),
  prompts: z.record(
    z.string(),
    z.object({
      version: z.int().min(0),
      alias: z.string().optional(),
      digest: z.string(),
      source: z.enum(['registry', 'cache', 'stale', 'snapshot', 'default']),
      ageMs: z.number().min(0),
    }),
  ),
  toolCalls: z.array(
    z.object({ agent: z.string(), name: z.string(), arguments: z.unknown(), result: z.unknown() }),
  ),
  fingerprint: z.string(),
  model: z.string().optional(),
  usage: z.object({ inputTokens: z.number(), outputTokens: z.number(), requests: z.number() }),
})
type Done = z.infer<typeof Done>
const Delta = z.object({ content: z.string() })
const Failure = z.object({ message: z.string() })

/**
 * A chat endpoint that answers with server-sent events. Each turn is one POST of `{ message, model,
 * conversationId }` with the tenant as `X-User-Id` and the alias chain as `X-Promptkeep-Alias`. Events `delta`
 * `{ content }` are the answer, `error` `{ message }` is an error of the target, and the last one is `done` with
 * the conversation, prompts, tool calls, fingerprint and usage. 403 means that the endpoint lets nobody choose
 * prompts.
 */
export function createHttpTarget(
  url: string,
  { fetch }: { readonly fetch: typeof globalThis.fetch },
): Target {
  async function turn(message: string, conversationId: string | undefined, options: TargetOptions) {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        accept: 'text/event-stream',
        'content-type': 'application/json',
        'x-user-id': options.tenant,
        'x-promptkeep-alias': options.promptAlias.join(','),
      },
      body: JSON.stringify({ message, model: options.model, conversationId }),
      signal: options.signal,
    })
    if (!response.ok) return { problem: await refusal(response, url) }
    return readStream(response)
  }

  return {
    async run(testCase, options) {
      const messages: { role: string; content: string }[] = []
      let answer = NO_ANSWER
      let conversation: string | undefined
      for (const content of turnsOf(testCase)) {
        const seen = await turn(content, conversation, options).catch((error: unknown) => ({
          problem: outage(url, error),
        }))
        messages.push({ role: 'user', content })
        if ('problem' in seen) return { ...answer, messages, error: seen.problem }
        messages.push({ role: 'assistant', content: seen.output })
        const changed = changedPrompt(answer, seen)
        if (changed) return { ...answer, messages, error: changed }
        answer = joined(answer, seen)
        conversation = seen.done.conversationId ?? conversation
      }
      return { ...answer, messages }
    },
  }
}

const NO_ANSWER: Answer = {
  output: '',
  toolCalls: [],
  prompts: {},
  fingerprint: '',
  usage: { inputTokens: 0, outputTokens: 0, requests: 0 },
}

const turnsOf = ({ input, turns }: TargetCase): readonly string[] => turns ?? [input ?? '']

interface Turn {
  readonly output: string
  readonly done: Done
}

/** The last turn's answer, with what every turn called, used and cost. */
function joined(before: Answer, { output, done }: Turn): Answer {
  const { inputTokens, outputTokens, requests } = before.usage
  return {
    output,
    toolCalls: [...before.toolCalls, ...done.toolCalls],
    prompts: { ...before.prompts, ...(done.prompts as Answer['prompts']) },
    fingerprint: done.fingerprint,
    ...(done.model === undefined ? {} : { model: done.model }),
    usage: {
      inputTokens: inputTokens + done.usage.inputTokens,
      outputTokens: outputTokens + done.usage.outputTokens,
      requests: requests + done.usage.requests,
    },
  }
}

/** One case has one lineage: a prompt that moved between its turns leaves nothing that could be said about it. */
function changedPrompt(before: Answer, { done }: Turn): Problem | undefined {
  for (const [name, { version, digest }] of Object.entries(done.prompts)) {
    const earlier = before.prompts[name]
    if (!earlier || (earlier.version === version && earlier.digest === digest)) continue
    const message = `${name} changed from v${earlier.version} to v${version} between two turns`
    return { kind: 'infrastructure', message }
  }
  return undefined
}

async function readStream(response: Response): Promise<Turn | { problem: Problem }> {
  const events: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (event) => events.push(event) })
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }))

  const failed = events.find(({ event }) => event === 'error')
  if (failed) return { problem: { kind: 'target', message: parse(failed, Failure)?.message ?? failed.data } }
  const last = events.at(-1)
  const done = last?.event === 'done' ? parse(last, Done) : undefined
  if (!done) {
    const what =
      last?.event === 'done'
        ? `a last event that cannot be read: ${last.data.slice(0, 200)}`
        : 'no done event'
    return { problem: { kind: 'infrastructure', message: `the stream ended with ${what}` } }
  }
  const deltas = events.filter(({ event }) => event === 'delta')
  return { output: deltas.map((event) => parse(event, Delta)?.content ?? '').join(''), done }
}

function parse<T>({ data }: EventSourceMessage, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.safeParse(JSON.parse(data)).data
  } catch {
    return undefined
  }
}

async function refusal(response: Response, url: string): Promise<Problem> {
  const text = (await response.text().catch(() => '')).slice(0, 300)
  if (response.status === 403) {
    const hint = 'it lets no one choose prompts (the assistant does with ALLOW_PROMPT_OVERRIDE=true)'
    return { kind: 'configuration', message: `${url} answered 403: ${hint}: ${text}` }
  }
  const outage = response.status >= 500 || [408, 429].includes(response.status)
  return {
    kind: outage ? 'infrastructure' : 'configuration',
    message: `${url} answered ${response.status}: ${text}`,
  }
}

/** `fetch` hides why behind "fetch failed". */
function outage(url: string, error: unknown): Problem {
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${messageOf(error.cause)}` : ''
  return { kind: 'infrastructure', message: `${url}: ${messageOf(error)}${cause}` }
}
