import {
  type AgentInputItem,
  MaxTurnsExceededError,
  type RunStreamEvent,
  type StreamedRunResult,
} from '@openai/agents'
import { type Lineage, type Logger, type ModelConfig, RegistryError } from '@promptkeep/client'
import { APIError } from 'openai'
import type { AssistantContext, SpecialistTools } from './agents/context.ts'
import { createOrchestrator, type Persona } from './agents/orchestrator.ts'
import { createRunRecord } from './agents/run-record.ts'
import { MAX_TURNS } from './agents/specialist-tool.ts'
import type { ChatEvent, ChatFailure, ChatOutcome, TurnRequest } from './chat-types.ts'
import { withoutText } from './log.ts'
import { EmptyAnswer, type Models } from './models.ts'
import type { PromptService } from './prompt-service.ts'
import type { RunPrompts } from './run-prompts.ts'

export interface RunDeps {
  readonly prompts: PromptService
  readonly models: Models
  readonly tools: SpecialistTools
  readonly log: Logger
}

export interface RunInput {
  readonly request: TurnRequest
  readonly conversationId: string | null
  readonly persona: Persona
  /** Oldest first; the last item is what is asked now. */
  readonly items: readonly AgentInputItem[]
  /** Ends the run; its reason says why: {@link TIMED_OUT}, or anything for "gone". */
  readonly signal: AbortSignal
  /** Longest time of one specialist; see {@link AssistantContext.specialistTimeoutMs}. */
  readonly specialistTimeoutMs?: number
}

/** The reason of a signal that ended a run because its time was up. */
export const TIMED_OUT = Symbol('timed out')

/**
 * One run of the orchestrator: resolves the set, builds the agents, streams the answer. It never throws: what goes
 * wrong is the outcome's `failure`, with everything that was said and called before.
 * @param emit - Hears of text and tools as they come.
 */
export async function runAssistant(
  deps: RunDeps,
  { request, conversationId, persona, items, signal, specialistTimeoutMs }: RunInput,
  emit: (event: ChatEvent) => void,
): Promise<ChatOutcome> {
  const record = createRunRecord((status) => emit({ type: 'tool', status }))
  const settings = requestSettings(request)
  const { correlationId, userId } = request
  let run: RunPrompts | undefined
  let model = request.model ?? ''
  let output = ''
  let answered: readonly AgentInputItem[] = []
  let failure: ChatFailure | undefined
  let cause: unknown

  const say = (text: string) => {
    output += text
    emit({ type: 'delta', content: text })
  }

  try {
    signal.throwIfAborted()
    const { promptAlias: alias, rolloutKey: key } = request
    run = await deps.prompts.loadRun({ correlationId, alias, key, fresh: alias !== undefined, signal })
    const pinned = run
    model = deps.models.settingsFor('Assistant', [run.get('orchestrator-base')], settings).model
    const context: AssistantContext = {
      correlationId,
      userId,
      conversationId,
      signal,
      run,
      record,
      specialistTimeoutMs,
    }
    await deps.prompts.inRun(run, correlationId, async () => {
      const agent = await createOrchestrator({
        ...{ run: pinned, record, models: deps.models, request: settings, log: deps.log },
        ...{ persona, tools: deps.tools },
      })
      const options = { stream: true, context, signal, maxTurns: MAX_TURNS } as const
      const result = await deps.models.runner.run(agent, [...items], options)
      await relay(result, () => output !== '', say)
      // a stream that was ended from outside stops like one that is complete
      signal.throwIfAborted()
      answered = portable(result.output)
    })
  } catch (error) {
    cause = error
    failure = failureOf(error, signal)
    logFailure(deps.log, failure, error, correlationId)
  }

  const lineage = await run?.lineage()
  return {
    output,
    status: failure ? (failure.type === 'cancelled' ? 'cancelled' : 'failed') : 'complete',
    ...(failure ? { failure, cause } : {}),
    // of a broken answer the model is shown what the user saw of it, and no call without a result
    items: failure ? partial(output) : answered,
    toolCalls: record.toolCalls(),
    prompts: (lineage?.prompts ?? {}) as Readonly<Record<string, Lineage>>,
    fingerprint: lineage?.fingerprint ?? '',
    model,
    usage: record.usage(),
  }
}

/** Text before and after a tool call are two messages of the model; the user reads them as two paragraphs. */
async function relay(
  result: AsyncIterable<RunStreamEvent> & Pick<StreamedRunResult<AssistantContext, never>, 'completed'>,
  hasSpoken: () => boolean,
  say: (text: string) => void,
) {
  let isNewMessage = false
  for await (const event of result) {
    if (event.type !== 'raw_model_stream_event') continue
    if (event.data.type === 'response_started') isNewMessage = hasSpoken()
    if (event.data.type !== 'output_text_delta' || event.data.delta === '') continue
    say(isNewMessage ? `\n\n${event.data.delta}` : event.data.delta)
    isNewMessage = false
  }
  await result.completed
}

/** In MLflow's own words, as the settings of prompts are. */
const requestSettings = ({ model, maxTokens }: TurnRequest): ModelConfig => ({
  ...(model === undefined ? {} : { model_name: model }),
  ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
})

/**
 * What later turns are shown: text, calls and results, without what only this provider or this response knows (ids,
 * annotations, reasoning), which another model, or the same one later, may refuse.
 */
function portable(items: readonly AgentInputItem[]): AgentInputItem[] {
  return items.flatMap((item): AgentInputItem[] => {
    if (item.type === 'function_call') {
      const { type, callId, name, arguments: given } = item
      return [{ type, callId, name, arguments: given, status: 'completed' }]
    }
    if (item.type === 'function_call_result') {
      const { type, callId, name, output } = item
      return [{ type, callId, name, output, status: 'completed' }]
    }
    if (!('role' in item) || item.role !== 'assistant') return []
    const text = item.content.flatMap((part) => (part.type === 'output_text' ? [part.text] : [])).join('')
    return text === '' ? [] : [saidBefore(text)]
  })
}

const saidBefore = (text: string): AgentInputItem => ({
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text }],
})

const partial = (output: string): AgentInputItem[] => (output === '' ? [] : [saidBefore(output)])

function failureOf(error: unknown, signal: AbortSignal): ChatFailure {
  if (signal.aborted) {
    return signal.reason === TIMED_OUT
      ? {
          type: 'timeout',
          message: 'This took too long and was stopped. Try again, or ask for less at once.',
        }
      : { type: 'cancelled', message: 'This answer was stopped.' }
  }
  if (error instanceof RegistryError) {
    return {
      type: 'prompts_unavailable',
      message: 'The assistant cannot load its instructions now. Try again in a moment.',
    }
  }
  if (error instanceof MaxTurnsExceededError) {
    return {
      type: 'too_many_steps',
      message: 'This took too many steps and was stopped. Try asking for one thing at a time.',
    }
  }
  if (error instanceof EmptyAnswer) {
    const message = error.isCut
      ? 'The language model reached its limit of tokens before its first word. Whoever runs the assistant has to raise max_tokens.'
      : 'The language model gave an empty answer. Try again, or say it in other words.'
    return { type: 'empty_answer', message }
  }
  if (error instanceof APIError) {
    return { type: 'model_unavailable', message: refusalOfModel(error.status) }
  }
  return {
    type: 'internal',
    message: 'Something went wrong. Try again; if it stays, look for the correlation id in the log.',
  }
}

function refusalOfModel(status: number | undefined): string {
  switch (status) {
    case 401:
    case 403:
      return 'The model’s provider refused the API key. Whoever runs the assistant has to check OPENAI_API_KEY.'
    case 400:
    case 404:
    case 422:
      return `The language model refused the request (${status}). Whoever runs the assistant has to check OPENAI_MODEL and the model settings of the prompts.`
    case 429:
      return 'The language model takes no more requests now: there were too many, or the quota is used up. Try again later.'
    default:
      return 'The language model cannot be reached or did not answer. Try again in a moment.'
  }
}

/** An error may quote the prompt, the user or the model: of it only what cannot is logged. */
function logFailure(log: Logger, { type }: ChatFailure, error: unknown, correlationId: string) {
  if (type === 'cancelled') return log.info({ correlationId }, 'chat.cancelled')
  if (error instanceof APIError) {
    const { name, status, code } = error
    return log.warn({ correlationId, type, error: name, status, code }, 'chat.failed')
  }
  if (type === 'internal') return log.error({ correlationId, type, err: withoutText(error) }, 'chat.failed')
  if (error instanceof RegistryError) {
    const { code, message: reason } = error // ours: names a prompt and its version, never its text
    return log.warn({ correlationId, type, code, reason }, 'chat.failed')
  }
  log.warn({ correlationId, type }, 'chat.failed')
}
