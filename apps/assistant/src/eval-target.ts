import { randomUUID } from 'node:crypto'
import { isAbsence, type Lineage } from '@promptkeep/client'
import { fingerprintOf, silent } from '@promptkeep/client/protocol'
import type { Target, TargetCase, TargetOptions, TargetResult, TargetSetup } from '@promptkeep/evals'
import { type Assistant, createAssistant } from './assistant.ts'
import { type ChatOutcome, ChatRefusal } from './chat-types.ts'
import { readConfig } from './config.ts'

/**
 * What an eval suite names as its target: the assistant of this process, around the very function that `POST /chat`
 * calls. It is made from the environment, asks the registry of the run, and keeps its data in memory, so that no
 * eval writes into anybody's conversations. Strict: a bundled text answers nothing.
 *
 * A case may say `context: { onboarded: true }`; otherwise its user is new.
 */
export async function chat({ trackingUri, env }: TargetSetup): Promise<Target> {
  const config = readConfig({
    ...env,
    MLFLOW_TRACKING_URI: trackingUri,
    ASSISTANT_DATABASE: 'sqlite::memory:',
  })
  const deps = { log: silent, env, fetch, now: Date.now, newId: randomUUID, strictPrompts: true }
  return createChatTarget(await createAssistant(config, deps), randomUUID)
}

/** @param assistant - Closed with the target. */
export function createChatTarget(assistant: Assistant, newId: () => string): Target {
  return {
    async run(testCase, options) {
      try {
        if (testCase.context?.onboarded === true) await assistant.users.endOnboarding(options.tenant)
        return await runCase(assistant, testCase, options, newId)
      } finally {
        await assistant.users.forget(options.tenant)
      }
    },
    close: () => assistant.close(),
  }
}

type Problem = NonNullable<TargetResult['error']>

async function runCase(
  assistant: Assistant,
  testCase: TargetCase,
  { tenant: userId, promptAlias, model, signal }: TargetOptions,
  newId: () => string,
): Promise<TargetResult> {
  const outcomes: ChatOutcome[] = []
  const messages: { role: string; content: string }[] = []
  let conversationId: string | undefined
  let error = refusedModel(assistant, model)
  for (const message of testCase.turns ?? [testCase.input ?? '']) {
    if (error) break
    messages.push({ role: 'user', content: message })
    const request = { userId, message, conversationId, model, promptAlias, correlationId: newId(), signal }
    const turn = await assistant.chat.start(request).catch(refusalOf)
    if ('kind' in turn) {
      error = turn
      break
    }
    conversationId = turn.conversationId ?? undefined
    for await (const event of turn.events) if (event.type === 'end') outcomes.push(event.outcome)
    const outcome = outcomes.at(-1)
    if (outcome) messages.push({ role: 'assistant', content: outcome.output })
    error = problemOf(outcome) ?? changedPrompt(outcomes)
  }
  return { ...(await joined(outcomes)), messages, ...(error ? { error } : {}) }
}

/** The last turn's answer, with what every turn called, used and cost. */
async function joined(outcomes: readonly ChatOutcome[]): Promise<Omit<TargetResult, 'messages'>> {
  const last = outcomes.at(-1)
  const prompts: Record<string, Lineage> = Object.assign({}, ...outcomes.map((outcome) => outcome.prompts))
  const triples = Object.entries(prompts).map(([name, { version, digest }]) => ({ name, version, digest }))
  const sum = (of: (usage: ChatOutcome['usage']) => number) =>
    outcomes.reduce((n, { usage }) => n + of(usage), 0)
  return {
    output: last?.output ?? '',
    toolCalls: outcomes.flatMap((outcome) => outcome.toolCalls),
    prompts,
    fingerprint: await fingerprintOf(triples),
    ...(last ? { model: last.model } : {}),
    usage: {
      inputTokens: sum((usage) => usage.inputTokens),
      outputTokens: sum((usage) => usage.outputTokens),
      requests: sum((usage) => usage.requests),
    },
  }
}

function refusedModel({ allowedModels }: Assistant, model: string | undefined): Problem | undefined {
  if (model === undefined || allowedModels.includes(model)) return undefined
  return {
    kind: 'configuration',
    message: `model ${model} is not allowed; ALLOWED_MODELS are ${allowedModels.join(', ')}`,
  }
}

function refusalOf(error: unknown): Problem {
  if (error instanceof ChatRefusal) return { kind: 'configuration', message: error.message }
  throw error
}

/** Without prompts or a model there is nothing to judge: not the answer failed, but what it was to be made with. */
function problemOf(outcome: ChatOutcome | undefined): Problem | undefined {
  if (!outcome) return { kind: 'target', message: 'the turn ended without an answer' }
  const { failure, cause } = outcome
  if (!failure) return undefined
  const message = cause instanceof Error ? `${failure.message} (${cause.message})` : failure.message
  if (failure.type === 'prompts_unavailable') {
    return { kind: isAbsence(cause) ? 'configuration' : 'infrastructure', message }
  }
  return { kind: failure.type === 'model_unavailable' ? 'infrastructure' : 'target', message }
}

/** One case has one lineage: a prompt that moved between its turns leaves nothing that could be said about it. */
function changedPrompt(outcomes: readonly ChatOutcome[]): Problem | undefined {
  const seen: Record<string, Lineage> = {}
  for (const [name, lineage] of outcomes.flatMap(({ prompts }) => Object.entries(prompts))) {
    const before = seen[name]
    seen[name] = lineage
    if (!before || (before.version === lineage.version && before.digest === lineage.digest)) continue
    const message = `${name} changed from v${before.version} to v${lineage.version} between two turns`
    return { kind: 'infrastructure', message }
  }
  return undefined
}
