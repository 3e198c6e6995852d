import type { AgentInputItem } from '@openai/agents'
import type { Kysely, Transaction } from 'kysely'
import { ONBOARDING_MESSAGES } from '../onboarding.ts'
import {
  type Answer,
  appendAnswer,
  appendMessage,
  itemsOf,
  messageOf,
  type StoredMessage,
} from './messages.ts'
import type { Tables } from './schema.ts'

export interface UserMessage {
  readonly userId: string
  readonly content: string
  readonly conversationId?: string | undefined
  readonly greetingId?: string | undefined
  /** Replaces the last attempt to answer the same message, if that broke. */
  readonly isRetry?: boolean | undefined
  readonly correlationId: string
}

export interface Conversation {
  readonly id: string
  readonly title: string
  readonly createdAt: number
  readonly updatedAt: number
}

export interface ConversationSummary extends Conversation {
  /** Beginning of the newest message. */
  readonly preview: string
  readonly messageCount: number
}

/** Conversations of users. No method reaches another user's rows. */
export interface ConversationStore {
  /**
   * Stores what the user said, in a new conversation unless one is named.
   * @returns The conversation and what was said in it before, oldest first; `undefined` when this user has no such
   * conversation, and then nothing is stored. A greeting that is gone is left out.
   */
  begin(message: UserMessage): Promise<{ id: string; before: AgentInputItem[] } | undefined>
  /** Adds an answer and the versions that made it, and counts the turn towards onboarding unless it failed. */
  addAnswer(userId: string, conversationId: string, answer: Answer): Promise<void>
  /** Keeps a greeting until it is answered; the newest few of a user are kept. @returns Its id. */
  keepGreeting(userId: string, answer: Answer): Promise<string>
  /** Newest first. */
  list(
    userId: string,
    page: { limit: number; offset: number },
  ): Promise<{ items: ConversationSummary[]; total: number }>
  /** @param messageLimit - The newest so many, oldest first. */
  find(
    userId: string,
    id: string,
    messageLimit: number,
  ): Promise<(Conversation & { messages: StoredMessage[] }) | undefined>
}

const GREETINGS_KEPT = 5
const TITLE_LENGTH = 80
const PREVIEW_LENGTH = 100

export interface ConversationStoreOptions {
  readonly db: Kysely<Tables>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly newId: () => string
}

export function createConversationStore({ db, now, newId }: ConversationStoreOptions): ConversationStore {
  return {
    begin: (message) =>
      db.transaction().execute(async (tx) => {
        const id = message.conversationId ?? (await create(tx, message))
        if (id === undefined || !(await exists(tx, message.userId, id))) return undefined
        if (message.isRetry) await dropBrokenTurn(tx, { ...message, id })
        const before = await itemsOf(tx, message.userId, id)
        await appendMessage(
          tx,
          { userId: message.userId, id, at: now() },
          {
            ...{ role: 'user', content: message.content, status: 'complete' },
            ...{ items: JSON.stringify([{ role: 'user', content: message.content }]) },
            ...{ correlation_id: message.correlationId, answer: null, fingerprint: null },
          },
        )
        return { id, before }
      }),

    addAnswer: (userId, conversationId, answer) =>
      db.transaction().execute(async (tx) => {
        await appendAnswer(tx, { userId, id: conversationId, at: now() }, answer)
        if (answer.status !== 'failed') await countMessage(tx, userId, now())
      }),

    keepGreeting: (userId, answer) =>
      db.transaction().execute(async (tx) => {
        const id = newId()
        const row = { user_id: userId, id, answer: JSON.stringify(answer), created_at: now() }
        await tx.insertInto('greetings').values(row).execute()
        const kept = tx
          .selectFrom('greetings')
          .where('user_id', '=', userId)
          .select('id')
          .orderBy('created_at', 'desc')
          .limit(GREETINGS_KEPT)
        await tx.deleteFrom('greetings').where('user_id', '=', userId).where('id', 'not in', kept).execute()
        return id
      }),

    async list(userId, { limit, offset }) {
      const mine = db.selectFrom('conversations').where('conversations.user_id', '=', userId)
      const { total } = await mine
        .select((eb) => eb.fn.countAll<number>().as('total'))
        .executeTakeFirstOrThrow()
      const rows = await mine
        .selectAll()
        .select((eb) => {
          const messages = eb
            .selectFrom('messages')
            .where('messages.user_id', '=', userId)
            .whereRef('conversation_id', '=', 'conversations.id')
          return [
            messages.select((m) => m.fn.countAll<number>().as('n')).as('message_count'),
            messages.select('content').orderBy('position', 'desc').limit(1).as('newest'),
          ]
        })
        .orderBy('updated_at', 'desc')
        .orderBy('id')
        .limit(limit)
        .offset(offset)
        .execute()
      const items = rows.map((row) => ({
        ...conversationOf(row),
        preview: cut(row.newest ?? '', PREVIEW_LENGTH),
        messageCount: row.message_count ?? 0,
      }))
      return { items, total }
    },

    async find(userId, id, messageLimit) {
      const row = await db
        .selectFrom('conversations')
        .where('user_id', '=', userId)
        .where('id', '=', id)
        .selectAll()
        .executeTakeFirst()
      if (!row) return undefined
      const messages = await db
        .selectFrom('messages')
        .where('user_id', '=', userId)
        .where('conversation_id', '=', id)
        .selectAll()
        .orderBy('position', 'desc')
        .limit(messageLimit)
        .execute()
      const prompts = await db
        .selectFrom('answer_prompts')
        .where('user_id', '=', userId)
        .where('conversation_id', '=', id)
        .where('position', '>=', messages.at(-1)?.position ?? 0)
        .selectAll()
        .execute()
      return {
        ...conversationOf(row),
        messages: messages.reverse().map((message) => messageOf(message, prompts)),
      }
    },
  }

  /** A new conversation, begun by the greeting that is being answered, if there is one. */
  async function create(
    tx: Transaction<Tables>,
    { userId, content, greetingId }: UserMessage,
  ): Promise<string> {
    const id = newId()
    const at = now()
    const row = { user_id: userId, id, title: cut(content, TITLE_LENGTH), created_at: at, updated_at: at }
    if (greetingId === undefined) {
      await tx.insertInto('conversations').values(row).execute()
      return id
    }
    const greeting = await tx
      .deleteFrom('greetings')
      .where('user_id', '=', userId)
      .where('id', '=', greetingId)
      .returning('answer')
      .executeTakeFirst()
    await tx.insertInto('conversations').values(row).execute()
    // an old page may name a greeting that newer ones pushed out: its user's words matter more
    if (greeting) await appendAnswer(tx, { userId, id, at }, JSON.parse(greeting.answer))
    return id
  }
}

async function exists(tx: Transaction<Tables>, userId: string, id: string): Promise<boolean> {
  const found = tx.selectFrom('conversations').where('user_id', '=', userId).where('id', '=', id)
  return (await found.select('id').executeTakeFirst()) !== undefined
}

/** Removes the conversation's last turn, when it asked just this and has no whole answer. */
async function dropBrokenTurn(
  tx: Transaction<Tables>,
  { userId, id, content }: { readonly userId: string; readonly id: string; readonly content: string },
) {
  const [last, before] = await tx
    .selectFrom('messages')
    .where('user_id', '=', userId)
    .where('conversation_id', '=', id)
    .select(['position', 'role', 'content', 'status'])
    .orderBy('position', 'desc')
    .limit(2)
    .execute()
  const asked = last?.role === 'assistant' && last.status !== 'complete' ? before : last
  if (asked?.role !== 'user' || asked.content !== content) return
  for (const table of ['answer_prompts', 'messages'] as const) {
    await tx
      .deleteFrom(table)
      .where('user_id', '=', userId)
      .where('conversation_id', '=', id)
      .where('position', '>=', asked.position)
      .execute()
  }
}

/** Onboarding ends with the fifth message that was answered, in the transaction that stores the answer. */
async function countMessage(tx: Transaction<Tables>, userId: string, at: number) {
  const first = { user_id: userId, user_messages: 1, onboarded_at: null, onboarded_by: null, created_at: at }
  const { user_messages: count } = await tx
    .insertInto('users')
    .values(first)
    .onConflict((oc) =>
      oc.column('user_id').doUpdateSet((eb) => ({ user_messages: eb('users.user_messages', '+', 1) })),
    )
    .returning('user_messages')
    .executeTakeFirstOrThrow()
  if (count < ONBOARDING_MESSAGES) return
  await tx
    .updateTable('users')
    .set({ onboarded_at: at, onboarded_by: 'messages' })
    .where('user_id', '=', userId)
    .where('onboarded_at', 'is', null)
    .execute()
}

const conversationOf = ({ id, title, created_at, updated_at }: Tables['conversations']): Conversation => ({
  ...{ id, title, createdAt: created_at, updatedAt: updated_at },
})

/** On one line, and never cut inside a character. */
function cut(text: string, length: number): string {
  const line = text.replace(/\s+/g, ' ').trim()
  const characters = [...line]
  return characters.length <= length ? line : `${characters.slice(0, length - 1).join('')}…`
}
