import { type AgentOutputItem, type Model, OpenAIProvider, Runner } from '@openai/agents'
import type { Logger, ModelConfig, Prompt } from '@promptkeep/client'
import OpenAI from 'openai'
import type { RunRecord } from './agents/run-record.ts'
import { ignoredConfigs, type ResolvedModel, resolveModelSettings } from './model-settings.ts'
import type { PromptName } from './prompt-map.ts'
import type { RunPrompts } from './run-prompts.ts'

export interface ModelsOptions {
  /** Any OpenAI-compatible endpoint, with its `/v1`. */
  readonly baseUrl: string
  readonly apiKey: string
  /** Lowest layer of the settings; `model_name` is the model of everyone who asks for none. */
  readonly environment: ModelConfig & { readonly model_name: string }
  readonly allowedModels: readonly string[]
  /**
   * Sends the header `X-Promptkeep-Prompts` with the versions that the run has used so far, this request's included,
   * e.g. `orchestrator-base/2, memory/3`. For the demo model, which has to show them; a real provider is told nothing. Default false.
   */
  readonly sendLineage?: boolean
  readonly log: Logger
  /** Default: the global one. */
  readonly fetch?: typeof fetch
}

export const LINEAGE_HEADER = 'X-Promptkeep-Prompts'

/** The one door to the model endpoint: what is asked, with which settings, and on whose account. */
export interface Models {
  /** Runs agents. Traces are off: the SDK would post prompts and user text to OpenAI, whatever the base URL. */
  readonly runner: Runner
  /** Settings of one agent, from its prompts in order; warns of what is refused, once per cause. */
  settingsFor(agent: string, prompts: readonly Prompt[], request?: ModelConfig): ResolvedModel
  /** A model that notes, as each request leaves, the prompts in it and, as it is answered, the tokens. */
  modelFor(name: string, prompts: readonly PromptName[], run: RunPrompts, record: RunRecord): Promise<Model>
}

export function createModels(options: ModelsOptions): Models {
  const send = withPlainAnswers(options.fetch ?? fetch)
  const client = new OpenAI({ baseURL: options.baseUrl, apiKey: options.apiKey, fetch: send })
  const provider = (openAIClient: OpenAI) => new OpenAIProvider({ openAIClient, useResponses: false })
  const warnOnce = createWarnOnce(options.log)

  return {
    runner: new Runner({
      tracingDisabled: true,
      modelProvider: provider(client),
      // a made-up name costs the model a turn, not the user the answer
      toolNotFoundBehavior: 'return_error_to_model',
    }),
    settingsFor(agent, prompts, request) {
      const resolved = resolveModelSettings({
        request,
        prompt: prompts[0]?.modelConfig,
        environment: options.environment,
        allowedModels: options.allowedModels,
      })
      for (const refused of resolved.refused) warnOnce({ agent, ...refused }, 'model.setting_refused')
      for (const prompt of ignoredConfigs(prompts)) {
        warnOnce({ agent, prompt, used: prompts[0]?.name }, 'model.config_ignored')
      }
      return resolved
    },
    async modelFor(name, prompts, run, record) {
      const told = options.sendLineage ? client.withOptions({ fetch: withLineage(send, run) }) : client
      return observed(await provider(told).getModel(name), () => run.markUsed(prompts), record)
    },
  }
}

/**
 * The SDK sends what the assistant said before as content parts; some OpenAI-compatible endpoints take text alone
 * there, and every endpoint takes text.
 */
function withPlainAnswers(send: typeof fetch): typeof fetch {
  return (input, init) =>
    send(input, typeof init?.body === 'string' ? { ...init, body: plain(init.body) } : init)
}

function plain(body: string): string {
  const request = JSON.parse(body)
  if (!Array.isArray(request.messages)) return body
  const messages = request.messages.map((message: { role: string; content?: unknown }) => {
    const text = message.role === 'assistant' ? textOfParts(message.content) : undefined
    return text === undefined ? message : { ...message, content: text }
  })
  return JSON.stringify({ ...request, messages })
}

function textOfParts(content: unknown): string | undefined {
  if (!Array.isArray(content) || !content.every(({ type }) => type === 'text')) return undefined
  return content.map(({ text }) => text).join('')
}

/** The model answered with neither text nor a tool call: asked again, it would do the same. */
export class EmptyAnswer extends Error {
  /** It ran into the limit of tokens. */
  readonly isCut: boolean
  constructor(isCut: boolean) {
    super(isCut ? 'the answer was cut before its first word' : 'the answer was empty')
    this.name = new.target.name
    this.isCut = isCut
  }
}

/** @throws {EmptyAnswer} */
function checkSaysSomething(output: readonly AgentOutputItem[], finishReason: unknown) {
  const says = output.some((item) => {
    if (item.type === 'reasoning') return false
    if (!('role' in item) || item.role !== 'assistant') return true
    return item.content.some(
      (part) =>
        (part.type === 'output_text' && part.text !== '') || (part.type === 'refusal' && part.refusal !== ''),
    )
  })
  if (!says) throw new EmptyAnswer(finishReason === 'length')
}

/** Of a chat completion, or a chunk of one. */
const finishReasonOf = (completion: unknown): unknown =>
  (completion as { choices?: readonly { finish_reason?: unknown }[] } | undefined)?.choices?.[0]
    ?.finish_reason

function observed(model: Model, onRequest: () => void, record: RunRecord): Model {
  const asked = () => {
    onRequest()
    record.modelAsked()
  }
  return {
    async getResponse(request) {
      asked()
      const { signal, release } = ofOneRequest(request.signal)
      try {
        const response = await model.getResponse({ ...request, ...signal })
        record.modelAnswered(response.usage)
        checkSaysSomething(response.output, finishReasonOf(response.providerData))
        return response
      } finally {
        release()
      }
    },
    async *getStreamedResponse(request) {
      asked()
      const { signal, release } = ofOneRequest(request.signal)
      try {
        let finishReason: unknown
        for await (const event of model.getStreamedResponse({ ...request, ...signal })) {
          if (event.type === 'model') finishReason = finishReasonOf(event.event) ?? finishReason
          if (event.type === 'response_done') {
            record.modelAnswered(event.response.usage)
            checkSaysSomething(event.response.output as readonly AgentOutputItem[], finishReason)
          }
          yield event
        }
      } finally {
        release()
      }
    },
    getRetryAdvice: (args) => model.getRetryAdvice?.(args),
  }
}

/**
 * A signal for one request alone, that follows the run's until it is released. The OpenAI client never takes its
 * listener off; on the run's own signal these would pile up, and Node would keep the signal for ever.
 */
function ofOneRequest(signal: AbortSignal | undefined) {
  if (!signal) return { signal: {}, release() {} }
  const one = new AbortController()
  const abort = () => one.abort(signal.reason)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  return { signal: { signal: one.signal }, release: () => signal.removeEventListener('abort', abort) }
}

function withLineage(send: typeof fetch, run: RunPrompts): typeof fetch {
  return (input, init) => {
    const headers = new Headers(init?.headers)
    const used = Object.entries(run.used()).map(([name, { version }]) => `${name}/${version}`)
    headers.set(LINEAGE_HEADER, used.join(', '))
    return send(input, { ...init, headers })
  }
}

/** Agents are built for every run: without this, one wrong setting would fill the log. */
function createWarnOnce(log: Logger, maxCauses = 1000) {
  const seen = new Set<string>()
  return (fields: object, event: string) => {
    const cause = JSON.stringify([event, fields])
    if (seen.has(cause)) return
    if (seen.size >= maxCauses) seen.clear()
    seen.add(cause)
    log.warn(fields, event)
  }
}
