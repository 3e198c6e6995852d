import type { Lineage } from '@promptkeep/client'
import { fingerprintOf } from '@promptkeep/client/protocol'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { z } from 'zod'
import { messageOf } from '../errors.ts'
import type { Target, TargetCase, TargetOptions, TargetResult } from '../target.ts'
import { unmetWorld } from './unmet-world.ts'

type Problem = NonNullable<TargetResult['error']>
type Answer = Omit<TargetResult, 'messages' | 'fingerprint'>

/** What the last event of a chat stream says of the turn. Further keys are ignored: an endpoint may say more. */
const Evidence = z.object({
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
const Done = Evidence.extend({ conversation_id: z.string().nullish() })
const PartOfDone = Done.partial()
type PartOfDone = z.infer<typeof PartOfDone>
const Failure = PartOfDone.extend({ error: z.string(), error_type: z.string().optional() })
const Delta = z.object({ content: z.string() })

/** Failures of what the endpoint depends on; any other is its own. */
const OUTAGES: readonly (string | undefined)[] = ['prompts_unavailable', 'model_unavailable']

/**
 * A chat endpoint that answers with server-sent events, as the assistant's does. Each turn is one POST of
 * `{ message, model, conversation_id }` with the tenant as `X-User-Id` and the alias chain as `X-Promptkeep-Alias`.
 * Events `delta` `{ content }` are the answer; the last one is `done`, or `error` `{ error, error_type }`, with
 * conversation, prompts, tool calls, fingerprint, model and usage. 403 says that nobody may choose prompts.
 *
 * A case's `context` and `seed` prepare its user inside the application, which no request of a chat can do: such a case is
 * refused rather than run against a user that is not the one it is about.
 */
export function createHttpTarget(
  url: string,
  { fetch }: { readonly fetch: typeof globalThis.fetch },
): Target {
  async function turn(
    message: string,
    conversationId: string | undefined,
    options: TargetOptions,
  ): Promise<Turn> {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        accept: 'text/event-stream',
        'content-type': 'application/json',
        'x-user-id': options.tenant,
        'x-promptkeep-alias': options.promptAlias.join(','),
      },
      body: JSON.stringify({ message, model: options.model, conversation_id: conversationId }),
      signal: options.signal,
    })
    if (!response.ok) return { output: '', problem: await refusal(response, url) }
    return readStream(response)
  }

  return {
    async run(testCase, options) {
      const unmet = unmetWorld(testCase, ['context', 'seed'], 'a target over HTTP')
      if (unmet) return { ...NO_ANSWER, messages: [], fingerprint: await fingerprintOf([]), error: unmet }
      const messages: { role: string; content: string }[] = []
      let answer = NO_ANSWER
      let conversation: string | undefined
      for (const content of turnsOf(testCase)) {
        const seen = await turn(content, conversation, options).catch(
          (error: unknown): Turn => ({
            output: '',
            problem: outage(url, error),
          }),
        )
        messages.push({ role: 'user', content })
        if (seen.output !== '') messages.push({ role: 'assistant', content: seen.output })
        const problem = seen.problem ?? changedPrompt(answer, seen)
        answer = joined(answer, seen)
        if (problem) return { ...(await fingerprinted(answer)), messages, error: problem }
        conversation = seen.evidence?.conversation_id ?? conversation
      }
      return { ...(await fingerprinted(answer)), messages }
    },
  }
}

const NO_ANSWER: Answer = {
  output: '',
  toolCalls: [],
  prompts: {},
  usage: { inputTokens: 0, outputTokens: 0, requests: 0 },
}

/** Over the prompts of every turn: the endpoint's own is over those of one. */
async function fingerprinted(answer: Answer): Promise<Omit<TargetResult, 'messages'>> {
  const triples = Object.entries(answer.prompts).map(([name, { version, digest }]) => ({
    name,
    version,
    digest,
  }))
  return { ...answer, fingerprint: await fingerprintOf(triples) }
}

const turnsOf = ({ input, turns }: TargetCase): readonly string[] => turns ?? [input ?? '']

interface Turn {
  readonly output: string
  /** Also of a turn that failed, as far as it got. */
  readonly evidence?: PartOfDone | undefined
  readonly problem?: Problem
}

/** The last turn's answer, with what every turn called, used and cost. */
function joined(before: Answer, { output, evidence = {} }: Turn): Answer {
  const { prompts = {}, toolCalls = [], model, usage = NO_ANSWER.usage } = evidence
  return {
    output,
    toolCalls: [...before.toolCalls, ...toolCalls],
    prompts: { ...before.prompts, ...(prompts as Record<string, Lineage>) },
    ...(model === undefined ? {} : { model }),
    usage: {
      inputTokens: before.usage.inputTokens + usage.inputTokens,
      outputTokens: before.usage.outputTokens + usage.outputTokens,
      requests: before.usage.requests + usage.requests,
    },
  }
}

/** One case has one lineage: a prompt that moved between its turns leaves nothing that could be said about it. */
function changedPrompt(before: Answer, { evidence }: Turn): Problem | undefined {
  for (const [name, { version, digest }] of Object.entries(evidence?.prompts ?? {})) {
    const earlier = before.prompts[name]
    if (!earlier || (earlier.version === version && earlier.digest === digest)) continue
    const message = `${name} changed from v${earlier.version} to v${version} between two turns`
    return { kind: 'infrastructure', message }
  }
  return undefined
}

async function readStream(response: Response): Promise<Turn> {
  const events: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (event) => events.push(event) })
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }))

  const deltas = events.filter(({ event }) => event === 'delta')
  const output = deltas.map((event) => parse(event, Delta)?.content ?? '').join('')
  const last = events.at(-1)
  if (last?.event === 'done') {
    const done = parse(last, Done)
    return done ? { output, evidence: done } : { output, problem: unreadable(last) }
  }
  if (last?.event === 'error') {
    const failure = parse(last, Failure)
    if (!failure) return { output, problem: unreadable(last) }
    const kind = OUTAGES.includes(failure.error_type) ? 'infrastructure' : 'target'
    return { output, evidence: failure, problem: { kind, message: failure.error } }
  }
  return { output, problem: { kind: 'infrastructure', message: 'the stream ended with no done event' } }
}

const unreadable = ({ event, data }: EventSourceMessage): Problem => ({
  kind: 'infrastructure',
  message: `the stream ended with a ${event} event that cannot be read: ${data.slice(0, 200)}`,
})

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
