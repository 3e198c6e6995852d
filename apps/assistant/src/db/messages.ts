import type { AgentInputItem } from '@openai/agents'
import type { Lineage } from '@promptkeep/client'
import type { Transaction } from 'kysely'
import type { Usage } from '../agents/run-record.ts'
import type { ChatFailure, ChatOutcome } from '../chat-types.ts'
import { PROMPT_NAMES } from '../prompt-map.ts'
import type { Tables } from './schema.ts'

/** An answer, with the run that made it. */
export type Answer = ChatOutcome & { readonly isDemo: boolean; readonly correlationId: string }

export interface StoredMessage {
  readonly role: 'user' | 'assistant'
  readonly content: string
  readonly status: ChatOutcome['status']
  readonly correlationId: string
  readonly createdAt: number
  /** Of an answer only. */
  readonly answer?: AnswerDetails & {
    readonly prompts: Readonly<Record<string, Lineage>>
    readonly fingerprint: string
  }
}

/** The part of an answer that nothing is searched by. */
export interface AnswerDetails {
  readonly model: string
  readonly isDemo: boolean
  readonly usage: Usage
  readonly tools: readonly { readonly agent: string; readonly name: string; readonly ok?: boolean }[]
  readonly failure?: ChatFailure
}

/** Which conversation, and when: milliseconds since the epoch. */
interface Place {
  readonly userId: string
  readonly id: string
  readonly at: number
}

/** More history than any budget sends. */
const READ_AT_MOST = 500

/** Adds an answer, and the versions that made it. */
export async function appendAnswer(
  tx: Transaction<Tables>,
  { userId, id, at }: Place,
  answer: Answer,
): Promise<void> {
  const { output, status, items, fingerprint, correlationId, model, isDemo, usage, failure, toolCalls } =
    answer
  const tools = toolCalls.map(({ agent, name, ok }) => ({ agent, name, ok }))
  const details: AnswerDetails = { model, isDemo, usage, tools, ...(failure ? { failure } : {}) }
  const position = await appendMessage(
    tx,
    { userId, id, at },
    {
      ...{ role: 'assistant', content: output, status, items: JSON.stringify(items) },
      ...{ correlation_id: correlationId, answer: JSON.stringify(details), fingerprint },
    },
  )
  const rows = Object.entries(answer.prompts).map(
    ([prompt, { version, alias = null, digest, source, ageMs }]) => ({
      ...{ user_id: userId, conversation_id: id, position, prompt },
      ...{ version, alias, digest, source, age_ms: Math.round(ageMs) },
    }),
  )
  if (rows.length > 0) await tx.insertInto('answer_prompts').values(rows).execute()
}

/** Adds a message to the end. @returns Its position. */
export async function appendMessage(
  tx: Transaction<Tables>,
  { userId, id, at }: Place,
  message: Omit<Tables['messages'], 'user_id' | 'conversation_id' | 'position' | 'created_at'>,
): Promise<number> {
  const { last } = await tx
    .selectFrom('messages')
    .where('user_id', '=', userId)
    .where('conversation_id', '=', id)
    .select((eb) => eb.fn.max('position').as('last'))
    .executeTakeFirstOrThrow()
  const position = last === null ? 0 : Number(last) + 1
  await tx
    .insertInto('messages')
    .values({ ...message, user_id: userId, conversation_id: id, position, created_at: at })
    .execute()
  await tx
    .updateTable('conversations')
    .set({ updated_at: at })
    .where('user_id', '=', userId)
    .where('id', '=', id)
    .execute()
  return position
}

/** What the model was shown and said, oldest first. */
export async function itemsOf(
  tx: Transaction<Tables>,
  userId: string,
  id: string,
): Promise<AgentInputItem[]> {
  const rows = await tx
    .selectFrom('messages')
    .where('user_id', '=', userId)
    .where('conversation_id', '=', id)
    .select('items')
    .orderBy('position', 'desc')
    .limit(READ_AT_MOST)
    .execute()
  return rows.reverse().flatMap(({ items }): AgentInputItem[] => JSON.parse(items))
}

export function messageOf(
  row: Tables['messages'],
  prompts: readonly Tables['answer_prompts'][],
): StoredMessage {
  const { role, content, status, correlation_id: correlationId, created_at: createdAt } = row
  const message = { role, content, status, correlationId, createdAt }
  if (row.answer === null) return message
  const used = prompts
    .filter(({ position }) => position === row.position)
    .sort((a, b) => placeOf(a.prompt) - placeOf(b.prompt))
    .map(({ prompt, version, alias, digest, source, age_ms: ageMs }): [string, Lineage] => [
      prompt,
      { version, ...(alias === null ? {} : { alias }), digest, source, ageMs },
    ])
  const answer = {
    ...JSON.parse(row.answer),
    prompts: Object.fromEntries(used),
    fingerprint: row.fingerprint ?? '',
  }
  return { ...message, answer }
}

/** As the answer's own event lists them. */
const placeOf = (prompt: string) => (PROMPT_NAMES as readonly string[]).indexOf(prompt)
