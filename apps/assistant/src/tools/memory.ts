import { type RunContext, tool } from '@openai/agents'
import type { Logger } from '@promptkeep/client'
import { z } from 'zod'
import type { AssistantContext, AssistantTool } from '../agents/context.ts'
import { MEMORY_TYPES, type MemoryHit, type MemoryLimits, type MemoryStore } from '../db/memories.ts'
import { countTokens } from '../tokens.ts'
import { checkArguments } from './check-arguments.ts'
import { answerTo, deletion, MAX_CONTENT, reasonToRefuse } from './memory-answers.ts'
import type { RateLimit } from './rate-limit.ts'

export interface MemoryToolsOptions {
  readonly memories: MemoryStore
  readonly limits: MemoryLimits
  /** Searches per user. */
  readonly reads: RateLimit
  readonly log: Logger
}

const MAX_HITS = 10
const MAX_CANDIDATES = 5
/** What a search may add to a specialist's request. */
const HIT_TOKEN_BUDGET = 1000
/** The memory specialist's tools. Each answers JSON at once, and says what really happened. */
export function createMemoryTools({
  memories,
  limits,
  reads,
  log,
}: MemoryToolsOptions): readonly AssistantTool[] {
  /** A model that is told "something went wrong" tells the user that it worked; so it is told what did not happen. */
  const failing =
    (tool: string, answer: object) => (context: RunContext<AssistantContext>, error: unknown) => {
      log.warn({ tool, correlationId: context.context.correlationId, err: error }, 'tool.failed')
      return json(answer)
    }

  const query = tool<typeof Query, AssistantContext, string>({
    name: 'query_memory_tool',
    description:
      'Searches what is remembered about the user by its words; an unrelated query finds nothing. For a whole area use an empty query with types: it lists the newest first.',
    parameters: Query,
    async execute({ query, types }, context) {
      const { userId } = of(context)
      const left = reads.take(userId)
      if (left === undefined) return json(nothing('rate limit exceeded: try again in a minute', 0))
      const { hits, total, searchedAt } = await memories.search(userId, query, {
        types: types ?? undefined,
        limit: MAX_HITS,
      })
      const shown = withinBudget(hits)
      return json({
        memories: shown.map(({ content, type, relevance, createdAt, importance }) => ({
          ...{ content, type, relevance: round(relevance) },
          context: `saved ${dateOf(createdAt)}${importance > 0.5 ? `, importance ${importance}` : ''}`,
        })),
        metadata: {
          ...{ count: shown.length, truncated: shown.length < total, total_available: total },
          ...{ remaining_rate_limit: left, today: dateOf(searchedAt) },
        },
      })
    },
    errorFunction: failing('query_memory_tool', nothing('memory cannot be read now', null)),
  })

  const save = tool<typeof Save, AssistantContext, string>({
    name: 'save_memory_tool',
    description:
      'Saves one statement about the user. Answers stored, duplicate or refused with the reason; nothing is saved later.',
    parameters: Save,
    async execute({ content: given, memory_type, confidence: sureness, importance, replaces_id }, context) {
      const { userId, conversationId, correlationId } = of(context)
      const content = given.trim()
      const confidence = sureness ?? 0.8
      const refusal = reasonToRefuse(content, confidence, importance ?? 0.5)
      if (refusal) return json({ success: false, action: 'refused', ...refusal })
      const saved = await memories.add(
        {
          ...{ userId, conversationId, correlationId, content, type: memory_type, confidence },
          ...{ importance: importance ?? 0.5, replacesId: replaces_id ?? undefined },
        },
        limits,
      )
      return json(answerTo(saved, content, memory_type, limits))
    },
    errorFunction: failing('save_memory_tool', {
      ...{ success: false, action: 'refused', reason: 'error' },
      message: 'Nothing was saved: memory cannot be written now.',
    }),
  })

  const remove = tool<typeof Delete, AssistantContext, string>({
    name: 'delete_memory_tool',
    description:
      'Deletes one memory. First call it with a description only: it answers candidates with their ids. Then call it with the id of the one that the user means; ask the user when several fit.',
    parameters: Delete,
    async execute({ description, id }, context) {
      const { userId, conversationId } = of(context)
      if (id) return json(deletion(await memories.remove(userId, conversationId, id), id))
      const { hits } = await memories.search(userId, description, { limit: MAX_CANDIDATES })
      if (hits.length === 0)
        return json({ success: true, action: 'not_found', message: 'No memory fits this description.' })
      await memories.noteShown(
        userId,
        conversationId,
        hits.map((hit) => hit.id),
      )
      return json({
        success: true,
        action: 'candidates_found',
        candidates: hits.map(({ id, content, type, relevance }) => ({
          id,
          content,
          type,
          relevance: round(relevance),
        })),
        message: 'Nothing is deleted yet. Call again with the id of the one that is meant.',
      })
    },
    errorFunction: failing('delete_memory_tool', {
      ...{ success: false, action: 'error' },
      message: 'Nothing was deleted: memory cannot be written now.',
    }),
  })

  return [
    checkArguments(query, Query, (problems) => json(nothing(`${NOT_UNDERSTOOD} ${problems}`, null))),
    checkArguments(save, Save, (problems) =>
      json({
        ...{ success: false, action: 'refused', reason: 'bad_arguments' },
        message: `Nothing was saved. ${NOT_UNDERSTOOD} ${problems}`,
      }),
    ),
    checkArguments(remove, Delete, (problems) =>
      json({
        ...{ success: false, action: 'refused', reason: 'bad_arguments' },
        message: `Nothing was deleted. ${NOT_UNDERSTOOD} ${problems}`,
      }),
    ),
  ]
}

const NOT_UNDERSTOOD = 'Correct these arguments and call again:'

const Query = z.object({
  query: z
    .string()
    .describe('A few words that the memory itself would hold; empty lists the newest, of the types if given'),
  types: z.array(z.enum(MEMORY_TYPES)).nullish().describe('Only these types'),
})
const Save = z.object({
  content: z
    .string()
    .describe(`One self-contained statement in the third person, at most ${MAX_CONTENT} characters`),
  memory_type: z.enum(MEMORY_TYPES),
  confidence: z.number().nullish().describe('How sure it is, 0 to 1; 0.8 unless given'),
  importance: z.number().nullish().describe('How much it matters, 0 to 1; 0.5 unless given'),
  replaces_id: z
    .string()
    .nullish()
    .describe('Id, from delete_memory_tool’s candidates, of the memory that this one corrects'),
})
const Delete = z.object({
  description: z.string().describe('What the memory says'),
  id: z.string().nullish().describe('Id of a candidate that was shown before'),
})

/** Identity comes from the run and nowhere else. */
function of(context: RunContext<AssistantContext> | undefined): AssistantContext {
  if (!context) throw new Error('a memory tool was called outside a run')
  return context.context
}

/** Whole memories, best first, until one would pass the budget. */
function withinBudget(hits: readonly MemoryHit[]): MemoryHit[] {
  let tokens = 0
  const end = hits.findIndex(({ content }) => {
    tokens += countTokens(content)
    return tokens > HIT_TOKEN_BUDGET
  })
  return end < 0 ? [...hits] : hits.slice(0, end)
}

const nothing = (error: string, remaining: number | null) => ({
  success: false,
  memories: [],
  metadata: { count: 0, truncated: false, total_available: 0, remaining_rate_limit: remaining, error },
})
/** `YYYY-MM-DD`, in UTC: nothing says where the user is. */
const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)
const json = (value: object) => JSON.stringify(value)
const round = (value: number) => Math.round(value * 1000) / 1000
