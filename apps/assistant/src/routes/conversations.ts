import { Hono } from 'hono'
import { z } from 'zod'
import type { ConversationStore } from '../db/conversations.ts'
import type { StoredMessage } from '../db/messages.ts'
import type { UserStore } from '../db/users.ts'
import type { Env } from '../http/guards.ts'
import { HttpProblem } from '../http/problem.ts'
import { readQuery } from '../http/validate.ts'

const whole = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`
  return z
    .string()
    .regex(/^\d{1,9}$/, error)
    .transform(Number)
    .pipe(z.int().min(min, error).max(max, error))
}
const Page = z.object({ limit: whole(1, 100).default(50), offset: whole(0, 999_999_999).default(0) })
const Messages = z.object({ message_limit: whole(1, 200).default(50) })

/** A user's conversations, and whether the user is still new. */
export function conversationRoutes(conversations: ConversationStore, users: UserStore) {
  return new Hono<Env>()
    .get('/conversations', async (c) => {
      const page = readQuery(c, Page)
      const { items, total } = await conversations.list(c.get('userId'), page)
      return c.json({
        items: items.map(({ id, title, preview, messageCount, createdAt, updatedAt }) => ({
          ...{ id, title, message_preview: preview, message_count: messageCount },
          ...{ created_at: iso(createdAt), updated_at: iso(updatedAt) },
        })),
        ...{ total, ...page },
      })
    })
    .get('/conversations/:id', async (c) => {
      const { message_limit } = readQuery(c, Messages)
      const id = c.req.param('id')
      const found = await conversations.find(c.get('userId'), id.toLowerCase(), message_limit)
      if (!found) throw new HttpProblem(404, 'There is no such conversation')
      const { title, createdAt, updatedAt, messages } = found
      return c.json({
        ...{ id: found.id, title, created_at: iso(createdAt), updated_at: iso(updatedAt) },
        messages: messages.map(messageToWire),
      })
    })
    .get('/onboarding', async (c) => c.json({ is_onboarded: await users.isOnboarded(c.get('userId')) }))
    .post('/onboarding/end', async (c) => {
      await users.endOnboarding(c.get('userId'))
      return c.json({ is_onboarded: true })
    })
}

function messageToWire({ role, content, status, correlationId, createdAt, answer }: StoredMessage) {
  const message = { role, content, status, correlation_id: correlationId, created_at: iso(createdAt) }
  if (!answer) return message
  const { prompts, fingerprint, model, isDemo, usage, tools, failure } = answer
  return {
    ...message,
    ...{ prompts, fingerprint, model, is_demo: isDemo, usage, tools },
    ...(failure ? { error: failure.message, error_type: failure.type } : {}),
  }
}

const iso = (milliseconds: number) => new Date(milliseconds).toISOString()
