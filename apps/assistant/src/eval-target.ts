import { randomUUID } from 'node:crypto'
import { isAbsence, type Lineage } from '@promptkeep/client'
import { fingerprintOf, silent } from '@promptkeep/client/protocol'
import type { Target, TargetCase, TargetOptions, TargetResult, TargetSetup } from '@promptkeep/evals'
import { APIError } from 'openai'
import { type Assistant, createAssistant } from './assistant.ts'
import { type ChatOutcome, ChatRefusal } from './chat-types.ts'
import { readConfig } from './config.ts'
import { readContext, readSeed, type Seed, SeedError } from './eval-seed.ts'
import { createEvalWorlds, type EvalWorlds, neighbourOf } from './eval-worlds.ts'

/**
 * What an eval suite names as its target: the assistant of this process, around the very function that `POST /chat`
 * calls. It is made from the environment, asks the registry of the run, and keeps its data in memory, so that no
 * eval writes into anybody's conversations. Strict: a bundled text answers nothing.
 *
 * A case may say `context: { onboarded: true }`; otherwise its user is new. Its `seed` (eval-seed.ts) is planted for this user
 * before the first turn and taken away after the last. Weather comes from the seed, never from the network.
 */
export async function chat({ trackingUri, env }: TargetSetup): Promise<Target> {
  const config = readConfig({
    ...env,
    MLFLOW_TRACKING_URI: trackingUri,
    ASSISTANT_DATABASE: 'sqlite::memory:',
  })
  const worlds = createEvalWorlds()
  const { createTools } = worlds
  const deps = { log: silent, env, fetch, now: Date.now, newId: randomUUID, strictPrompts: true, createTools }
  return createChatTarget(await createAssistant(config, deps), worlds, randomUUID)
}

/**
 * @param assistant - Made with the tools of these worlds; closed with the target.
 */
export function createChatTarget(assistant: Assistant, worlds: EvalWorlds, newId: () => string): Target {
  const underWay = new Set<Promise<unknown>>()

  async function run(testCase: TargetCase, options: TargetOptions): Promise<TargetResult> {
    const { tenant } = options
    try {
      const seed = readSeed(testCase.seed ?? {})
      const { onboarded = false } = readContext(testCase.context ?? {})
      await worlds.enter(tenant, seed)
      if (onboarded) await assistant.users.endOnboarding(tenant)
      const begun = await plantConversation(assistant, tenant, seed)
      return await runCase(assistant, testCase, options, newId, begun)
    } catch (error) {
      if (!(error instanceof SeedError)) throw error
      const problem: Problem = { kind: 'configuration', message: `case ${testCase.id}: ${error.message}` }
      return { ...(await joined([])), messages: [], error: problem }
    } finally {
      await worlds.leave(tenant)
      await assistant.users.forget(tenant)
      await assistant.users.forget(neighbourOf(tenant))
    }
  }

  return {
    async run(testCase, options) {
      const work = run(testCase, options)
      underWay.add(work)
      return work.finally(() => underWay.delete(work))
    },
    async close() {
      await assistant.chat.close() // a case that was given up still cleans up, and needs the stores for it
      await Promise.allSettled([...underWay])
      await assistant.close()
    },
  }
}

/** What was said before the case begins, as a turn stores it. @returns The conversation's id. */
async function plantConversation(
  { conversations, model }: Assistant,
  userId: string,
  { conversation = [] }: Seed,
): Promise<string | undefined> {
  let conversationId: string | undefined
  for (const { user: content, assistant: output } of conversation) {
    const begun = await conversations.begin({ userId, content, conversationId, correlationId: 'seed' })
    if (!begun) throw new Error('a planted conversation is gone')
    conversationId = begun.id
    await conversations.addAnswer(userId, conversationId, {
      ...{ output, status: 'complete', toolCalls: [], prompts: {}, fingerprint: '', model: model.name },
      items: [{ role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: output }] }],
      usage: { inputTokens: 0, outputTokens: 0, requests: 0 },
      ...{ isDemo: model.isDemo, correlationId: 'seed' },
    })
  }
  return conversationId
}

type Problem = NonNullable<TargetResult['error']>

async function runCase(
  assistant: Assistant,
  testCase: TargetCase,
  { tenant: userId, promptAlias, model, signal }: TargetOptions,
  newId: () => string,
  begun: string | undefined,
): Promise<TargetResult> {
  const outcomes: ChatOutcome[] = []
  const messages: { role: string; content: string }[] = []
  let conversationId = begun
  let blocked: TargetResult['blocked']
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
    blocked = blockOf(outcome)
    if (blocked) break
    error = problemOf(outcome) ?? changedPrompt(outcomes)
  }
  return {
    ...(await joined(outcomes)),
    messages,
    ...(blocked ? { blocked } : {}),
    ...(error ? { error } : {}),
  }
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

/** The codes with which providers refuse a request, or cut an answer, by their own rules. */
const REFUSALS: readonly unknown[] = ['content_filter', 'content_policy_violation', 'moderation_blocked']

/** A request that the provider's guard refuses was answered, in its way: neither an outage nor an error. */
function blockOf(outcome: ChatOutcome | undefined): TargetResult['blocked'] {
  const cause = outcome?.cause
  if (!(cause instanceof APIError) || !REFUSALS.includes(cause.code)) return undefined
  return { by: `the model's provider (${cause.code})` }
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
