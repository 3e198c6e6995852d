import { isRegistryError, type Lineage, type Prompt, type Registry } from '@promptkeep/client'
import { type ChatCompletionParams, toChatCompletion } from '@promptkeep/client/openai'
import { fingerprintOf } from '@promptkeep/client/protocol'
import type OpenAI from 'openai'
import { z } from 'zod'
import { EvalFailure } from '../errors.ts'
import { type Endpoint, failureOf, openClient } from '../openai-endpoint.ts'
import type { PromptTarget } from '../suite-manifest.ts'
import type { Target, TargetCase, TargetOptions, TargetResult, TargetSetup } from '../target.ts'
import { type Fill, fillFor } from './prompt-values.ts'
import { unmetWorld } from './unmet-world.ts'

export interface PromptTargetDeps {
  readonly endpoint: Endpoint
  /** Strict and without a cache: each trial resolves the prompt anew, and nothing but the registry answers. */
  readonly registry: Pick<Registry, 'run' | 'close'>
  readonly fetch: typeof globalThis.fetch
  /** `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID`. */
  readonly env: TargetSetup['env']
}

/** As much of a chat completion as is read; endpoints differ in what else they leave out. */
const Completion = z.object({
  model: z.string().optional(),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({
          content: z.string().nullish(),
          refusal: z.string().nullish(),
          tool_calls: z
            .array(z.object({ function: z.object({ name: z.string(), arguments: z.string() }) }))
            .nullish(),
        }),
      }),
    )
    .min(1),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).nullish(),
})
type Completion = z.infer<typeof Completion>

/** A conversation as it goes on. */
type State = { -readonly [K in keyof Omit<TargetResult, 'fingerprint' | 'error'>]: TargetResult[K] }
type Problem = NonNullable<TargetResult['error']>

/**
 * A prompt of the registry, filled from the case and sent to a model at an OpenAI-compatible server with the prompt's own
 * settings. Where the template has no place for the input, that follows as the user's message; so does every further turn.
 */
export function createPromptTarget(spec: PromptTarget, deps: PromptTargetDeps): Target {
  const { registry, endpoint } = deps
  let client: Promise<OpenAI> | undefined

  async function complete(params: object, signal: AbortSignal): Promise<Completion> {
    const model = (params as { readonly model: string }).model
    client ??= openClient(endpoint, deps)
    const openai = await client
    const answer = await openai.chat.completions
      .create(params as OpenAI.ChatCompletionCreateParamsNonStreaming, { signal })
      .catch((error: unknown): never => {
        throw failureOf(error, `${model} at ${endpoint.shown}`)
      })
    return readCompletion(answer, endpoint)
  }

  async function converse(
    testCase: TargetCase,
    prompt: Prompt,
    state: State,
    options: TargetOptions,
  ): Promise<void> {
    const fill = fillFor(testCase, prompt, spec.variables)
    const params = paramsOf(prompt, fill, options.model ?? spec.model)
    const messages: ChatCompletionParams['messages'] = [...params.messages]
    for (const [i, content] of turnsOf(testCase).entries()) {
      if (i > 0 || !fill.hasInput) messages.push({ role: 'user', content })
      state.usage = { ...state.usage, requests: state.usage.requests + 1 }
      const answer = await complete({ ...params, messages }, options.signal)
      const said = note(state, content, answer, prompt.name)
      messages.push({ role: 'assistant', content: said })
      if (state.blocked) return
    }
  }

  return {
    async run(testCase, options) {
      const state = emptyState()
      const unmet = unmetWorld(testCase, ['seed'], 'a bare prompt')
      if (unmet) return result(state, {}, unmet)
      return registry.run(
        async (run) => {
          const prompt = await run.load(spec.prompt, { signal: options.signal })
          const error = await converse(testCase, prompt, state, options).then(() => undefined, problemOf)
          return result(state, run.lineage(), error)
        },
        { alias: options.promptAlias, signal: options.signal },
      )
    },
    close: () => registry.close(),
  }
}

const turnsOf = ({ input, turns }: TargetCase): readonly string[] => turns ?? [input ?? '']

const emptyState = (): State => ({
  output: '',
  messages: [],
  toolCalls: [],
  prompts: {},
  usage: { inputTokens: 0, outputTokens: 0, requests: 0 },
})

async function result(
  state: State,
  prompts: Readonly<Record<string, Lineage>>,
  error?: Problem,
): Promise<TargetResult> {
  const triples = Object.entries(prompts).map(([name, { version, digest }]) => ({ name, version, digest }))
  const fingerprint = await fingerprintOf(triples)
  return { ...state, prompts, fingerprint, ...(error === undefined ? {} : { error }) }
}

/** @throws {EvalFailure} `CONFIGURATION`: the prompt cannot be filled from this case, or not be sent. */
function paramsOf(prompt: Prompt, fill: Fill, model: string | undefined) {
  try {
    // A text that does not hold the question stands before it.
    return toChatCompletion(prompt, fill.values, { model, as: fill.hasInput ? 'user' : 'system' })
  } catch (error) {
    if (!isRegistryError(error)) throw error
    const hint =
      error.code === 'MISSING_VARIABLES'
        ? "; give them in the case's context, or name their places under the target's variables"
        : ''
    throw new EvalFailure('CONFIGURATION', `it cannot be asked: ${error.message}${hint}`, { cause: error })
  }
}

function readCompletion(answer: unknown, { shown }: Endpoint): Completion {
  const read = Completion.safeParse(answer)
  if (read.success) return read.data
  const message = `${shown} answered with something that is no chat completion`
  throw new EvalFailure('INFRASTRUCTURE', message)
}

/** Adds one answer to the conversation. @returns what was said */
function note(state: State, asked: string, answer: Completion, agent: string): string {
  const [choice] = answer.choices
  const { content, refusal, tool_calls: calls } = choice?.message ?? {}
  const said = content ?? refusal ?? ''
  state.output = said
  state.messages = [
    ...state.messages,
    { role: 'user', content: asked },
    ...(said === '' ? [] : [{ role: 'assistant', content: said }]),
  ]
  const called = (calls ?? []).map(({ function: { name, arguments: text } }) => ({
    ...{ agent, name, arguments: jsonOr(text), result: null },
  }))
  state.toolCalls = [...state.toolCalls, ...called]
  if (answer.model !== undefined) state.model = answer.model
  const { inputTokens, outputTokens, requests } = state.usage
  state.usage = {
    inputTokens: inputTokens + (answer.usage?.prompt_tokens ?? 0),
    outputTokens: outputTokens + (answer.usage?.completion_tokens ?? 0),
    requests,
  }
  if (choice?.finish_reason === 'content_filter') state.blocked = { by: 'content_filter' }
  else if (typeof refusal === 'string') state.blocked = { by: 'refusal' }
  return said
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** What is no failure of the model or of the prompt is for the runner to tell: an outage of the registry, an interruption. */
function problemOf(thrown: unknown): Problem {
  if (!(thrown instanceof EvalFailure)) throw thrown
  const { code, message } = thrown
  return { kind: code === 'CONFIGURATION' ? 'configuration' : 'infrastructure', message }
}
