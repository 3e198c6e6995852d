import { isRegistryError, type Prompt } from '@promptkeep/client'
import { toChatCompletion } from '@promptkeep/client/openai'
import type OpenAI from 'openai'
import type { EvalRegistry } from './aliases.ts'
import { EvalFailure } from './errors.ts'
import { Completion, type Draw, readDraw, responseFormat } from './judge-answer.ts'
import { createJudgePrompts, valuesFor } from './judge-prompt.ts'
import { endpointOf, failureOf, openClient } from './openai-endpoint.ts'
import type { Judge, JudgeOpinion, JudgeQuestion, JudgeUsage } from './scorers/services.ts'

export interface JudgeDeps {
  /** Strict: a fallback is no evidence, and is refused. */
  readonly registry: Pick<EvalRegistry, 'load'>
  /** By the whole name that its provider answers with. */
  readonly model: string
  /** The alias that the judge's prompts are loaded by, not the candidate's. Default `production`. */
  readonly promptAlias?: string | undefined
  readonly fetch: typeof globalThis.fetch
  /** `OPENAI_BASE_URL` (with its `/v1`; default OpenAI's own), `OPENAI_API_KEY`, `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID`. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Gives up what is under way. */
  readonly signal?: AbortSignal | undefined
  /** Longest time for one draw. Default 60 s. */
  readonly timeoutMs?: number
}

/**
 * A judge at any OpenAI-compatible endpoint. Each draw is a request of its own with a seed of its own; nothing is tried again
 * here. A prompt is loaded once and stays the same for as long as this judge is used.
 * @throws {EvalFailure} `CONFIGURATION`: no key, or no address.
 */
export function createJudge(deps: JudgeDeps): Judge {
  const { model, env, timeoutMs = 60_000 } = deps
  const prompts = createJudgePrompts(deps.registry, deps.promptAlias ?? 'production')
  const endpoint = endpointOf(env, 'a judge')
  const total = { inputTokens: 0, outputTokens: 0, requests: 0 }
  let client: Promise<OpenAI> | undefined
  let seed = 0

  async function draw(prompt: Prompt, question: JudgeQuestion): Promise<{ draw: Draw; usage: JudgeUsage }> {
    const params = paramsOf(prompt, question, model)
    client ??= openClient(endpoint, deps)
    const openai = await client
    total.requests++
    const completion = await within(timeoutMs, deps.signal, (signal) =>
      openai.chat.completions.create(
        // Another seed each time, also when a draw is asked for again: the same one might fail the same way.
        { ...params, seed: seedOf(prompt) + seed++, response_format: responseFormat(question.grades) },
        { signal },
      ),
    ).catch((error: unknown): never => {
      throw failureOf(error, `the judge ${model} at ${endpoint.shown}`)
    })
    const answer = Completion.safeParse(completion)
    if (!answer.success) {
      const what = `${endpoint.shown} answered with something that is no chat completion`
      throw new EvalFailure('INFRASTRUCTURE', `the judge ${model}: ${what}`)
    }
    const usage = {
      inputTokens: answer.data.usage?.prompt_tokens ?? 0,
      outputTokens: answer.data.usage?.completion_tokens ?? 0,
      requests: 1,
    }
    total.inputTokens += usage.inputTokens
    total.outputTokens += usage.outputTokens
    checkModel(model, answer.data.model)
    return { draw: readDraw(answer.data, question.grades), usage }
  }

  return {
    model,
    prompts: prompts.lineages,
    usage: () => ({ ...total }),
    async load(names) {
      await Promise.all(names.map(prompts.get))
    },
    async ask(question) {
      if (!(Number.isInteger(question.draws) && question.draws >= 2))
        throw new EvalFailure('CONFIGURATION', `a judge is asked at least twice, not ${question.draws} times`)
      const prompt = await prompts.get(question.prompt)
      return opinionOf(await allOf(Array.from({ length: question.draws }, () => draw(prompt, question))))
    },
  }
}

/** Waits for every draw, so that none is still under way when the question is answered; a mistake outranks an outage. */
async function allOf<T>(draws: readonly Promise<T>[]): Promise<T[]> {
  const ended = await Promise.allSettled(draws)
  const failures = ended.flatMap((end): unknown[] => (end.status === 'rejected' ? [end.reason] : []))
  const worst = failures.find((reason) => reason instanceof EvalFailure && reason.code !== 'INFRASTRUCTURE')
  if (failures.length > 0) throw worst ?? failures[0]
  return ended.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
}

function opinionOf(answers: readonly { draw: Draw; usage: JudgeUsage }[]): JudgeOpinion {
  const draws = answers.map(({ draw }) => draw.score)
  const lowest = Math.min(...draws)
  const sum = (of: (usage: JudgeUsage) => number) => answers.reduce((n, { usage }) => n + of(usage), 0)
  return {
    score: tidy(draws.reduce((n, score) => n + score, 0) / draws.length),
    reason: answers.find(({ draw }) => draw.score === lowest)?.draw.reason ?? '',
    draws,
    agreement: tidy(1 - (Math.max(...draws) - lowest)),
    usage: {
      inputTokens: sum((usage) => usage.inputTokens),
      outputTokens: sum((usage) => usage.outputTokens),
      requests: sum((usage) => usage.requests),
    },
  }
}

/** Three draws of 0.7 have a mean of 0.7, not of 0.6999999999999998, and reach a bar of 0.7. */
const tidy = (value: number): number => Math.round(value * 1e9) / 1e9

/** @throws {EvalFailure} The prompt cannot be sent as it is. */
function paramsOf(prompt: Prompt, question: JudgeQuestion, model: string) {
  const values = valuesFor(prompt, question)
  try {
    return toChatCompletion(prompt, values, { model, omit: ['seed'] })
  } catch (error) {
    if (!isRegistryError(error)) throw error
    const message = `the judge's prompt ${prompt.name} cannot be sent: ${error.message}`
    throw new EvalFailure('CONFIGURATION', message, { cause: error })
  }
}

/** Where the prompt's seeds start. */
const seedOf = ({ modelConfig }: Prompt): number =>
  Number.isSafeInteger(modelConfig?.seed) ? (modelConfig?.seed as number) : 1

/** A name that stands for another one may stand for a third tomorrow, and two runs would not have been judged alike. */
function checkModel(asked: string, answered: string): void {
  if (asked === answered) return
  throw new EvalFailure(
    'CONFIGURATION',
    `the judge ${asked} was asked and ${answered} answered; a judge is named by the name it answers with: --judge-model ${answered}`,
  )
}

class TimedOut extends Error {}

/**
 * Ends `work` at a deadline, which also holds for the body of an answer, and with the run. Its signal is its own, as the SDK
 * never takes its listener off one.
 */
async function within<T>(
  timeoutMs: number,
  run: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const one = new AbortController()
  const giveUp = () => one.abort(new EvalFailure('INTERRUPTED', 'the run was given up'))
  const timer = setTimeout(() => one.abort(new TimedOut(`no answer within ${timeoutMs / 1000} s`)), timeoutMs)
  if (run?.aborted) giveUp()
  run?.addEventListener('abort', giveUp, { once: true })
  try {
    return await work(one.signal)
  } catch (error) {
    throw one.signal.aborted ? one.signal.reason : error
  } finally {
    clearTimeout(timer)
    run?.removeEventListener('abort', giveUp)
  }
}
