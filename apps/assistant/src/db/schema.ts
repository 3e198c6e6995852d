import type { PromptSource } from '@promptkeep/client'
import type { Generated } from 'kysely'

/** Every table is keyed by `user_id`, and no query leaves it out. Times are milliseconds since the epoch. */
export interface Tables {
  users: UserRow
  conversations: ConversationRow
  messages: MessageRow
  answer_prompts: AnswerPromptRow
  greetings: GreetingRow
  memories: MemoryRow
  memory_candidates: MemoryCandidateRow
  /** FTS5; `rowid` is `memories.row`. */
  memories_fts: { rowid: number; owner: string; terms: string }
}

/** Tables whose rows belong to a user, in the order in which they can be emptied. */
export const USER_TABLES = [
  'answer_prompts',
  'messages',
  'conversations',
  'greetings',
  'memory_candidates',
  'memories',
  'users',
] as const satisfies readonly (keyof Tables)[]

interface UserRow {
  user_id: string
  /** Messages this user has sent, greetings not counted. */
  user_messages: number
  onboarded_at: number | null
  /** `messages` after enough of them, `request` when the user asked for it. */
  onboarded_by: string | null
  created_at: number
}

interface ConversationRow {
  user_id: string
  id: string
  title: string
  created_at: number
  updated_at: number
}

interface MessageRow {
  user_id: string
  conversation_id: string
  /** 0, 1, 2 … within the conversation. */
  position: number
  role: 'user' | 'assistant'
  content: string
  /** JSON: what the model is shown of it later, tool calls and results included. */
  items: string
  status: 'complete' | 'cancelled' | 'failed'
  correlation_id: string
  /** JSON of the rest of an answer (model, usage, tool names); null for a user's message. */
  answer: string | null
  /** Over the prompts of this answer. */
  fingerprint: string | null
  created_at: number
}

/** Which version of which prompt went into an answer. */
interface AnswerPromptRow {
  user_id: string
  conversation_id: string
  position: number
  prompt: string
  version: number
  alias: string | null
  digest: string
  source: PromptSource
  age_ms: number
}

/** A greeting nobody has answered yet: JSON of the answer. It becomes a conversation's first message on reply. */
interface GreetingRow {
  user_id: string
  id: string
  answer: string
  created_at: number
}

interface MemoryRow {
  row: Generated<number>
  user_id: string
  id: string
  content: string
  /** Equal for texts that say the same; unique among a user's active memories. */
  content_key: string
  type: string
  confidence: number
  importance: number
  status: 'active' | 'superseded' | 'deleted'
  superseded_by: string | null
  /** Empty when it was saved outside a conversation. */
  conversation_id: string
  correlation_id: string
  created_at: number
  /** When it was superseded or deleted. */
  ended_at: number | null
}

/** A memory that was shown as a candidate for deletion: only such a one may be deleted. */
interface MemoryCandidateRow {
  user_id: string
  conversation_id: string
  memory_id: string
  shown_at: number
}
