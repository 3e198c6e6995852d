import type { Logger } from '@promptkeep/client'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { z } from 'zod'
import type { ChatService } from '../chat-service.ts'
import type { ChatEvent, ChatTurn } from '../chat-types.ts'
import { isReservedAlias } from '../config.ts'
import type { Env } from '../http/guards.ts'
import { HttpProblem } from '../http/problem.ts'
import { readJson } from '../http/validate.ts'

export interface ChatRouteDeps {
  readonly chat: ChatService
  readonly allowedModels: readonly string[]
  readonly allowPromptOverride: boolean
  readonly heartbeatMs: number
  readonly log: Logger
}

export const ALIAS_HEADER = 'X-Promptkeep-Alias'
const MAX_MESSAGE = 8000
const MAX_ALIASES = 8

/** `POST /chat`: one turn as server-sent events. `docs/assistant.md` describes each. */
export function chatRoutes({ chat, allowedModels, allowPromptOverride, heartbeatMs, log }: ChatRouteDeps) {
  const Body = bodyOf(allowedModels)
  return new Hono<Env>().post('/chat', async (c) => {
    const { correlationId, userId } = c.var
    const promptAlias = readAliasHeader(c.req.header(ALIAS_HEADER), allowPromptOverride)
    const body = await readJson(c, Body).catch((error: unknown) => {
      log.warn({ correlationId, reason: error instanceof Error ? error.message : '' }, 'chat.refused')
      throw error
    })
    const gone = new AbortController()
    c.req.raw.signal.addEventListener('abort', () => gone.abort(), { once: true })
    const turn = await chat.start({
      ...{ userId, message: body.message, correlationId, promptAlias, signal: gone.signal },
      rolloutKey: userId, // over all conversations: who is shown a new version keeps it
      ...{ conversationId: body.conversation_id ?? undefined, greetingId: body.greeting_id ?? undefined },
      ...{ model: body.model ?? undefined, maxTokens: body.max_tokens ?? undefined },
      ...{ isRetry: body.retry ?? false },
    })
    const response = streamSSE(c, async (stream) => {
      stream.onAbort(() => gone.abort())
      const heartbeat = setInterval(() => void stream.write(': heartbeat\n\n'), heartbeatMs)
      try {
        let sequence = 0
        for await (const event of turn.events) {
          const { name, data } = toWire(event, turn, correlationId, sequence++)
          await stream.writeSSE({ event: name, data: JSON.stringify(data) })
        }
      } finally {
        clearInterval(heartbeat)
      }
    })
    response.headers.set('Cache-Control', 'no-cache, no-transform')
    return response
  })
}

function bodyOf(allowedModels: readonly string[]) {
  const uuid = z.uuid({ error: 'must be a UUID' }).toLowerCase()
  return z.strictObject(
    {
      message: z
        .string({
          error: ({ input }) =>
            input === undefined ? 'is required; empty text asks for a greeting' : 'must be text',
        })
        .refine((text) => [...text].length <= MAX_MESSAGE, {
          error: `must have at most ${MAX_MESSAGE} characters`,
        })
        .refine((text) => !/[\0\p{Surrogate}]/u.test(text), {
          error: 'must not hold U+0000 or half of a surrogate pair',
        }),
      model: z
        .string({ error: 'must be text' })
        .refine((model) => allowedModels.includes(model), {
          error: `must be one of ${allowedModels.join(', ')}`,
        })
        .nullish(),
      max_tokens: z
        .int({ error: 'must be a whole number from 1 to 4000' })
        .min(1, 'must be at least 1')
        .max(4000, 'must be at most 4000')
        .nullish(),
      conversation_id: uuid.nullish(),
      greeting_id: uuid.nullish(),
      /** Clients of old send it; the user is the header's. */
      user_id: z.unknown().optional(),
      retry: z.boolean({ error: 'must be true or false' }).nullish(),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `has unknown fields: ${issue.keys?.join(', ')}`
          : 'must be a JSON object',
    },
  )
}

/** @throws {HttpProblem} 403 unless overriding is allowed; 400 for a chain that is none. */
function readAliasHeader(header: string | undefined, isAllowed: boolean): string[] | undefined {
  if (header === undefined) return undefined
  if (!isAllowed) {
    throw new HttpProblem(403, `${ALIAS_HEADER} is honoured only with ALLOW_PROMPT_OVERRIDE=true`)
  }
  const chain = header.split(',').map((alias) => alias.trim())
  if (chain.length > MAX_ALIASES || !chain.every((alias) => /^[\w-]{1,255}$/.test(alias))) {
    throw new HttpProblem(400, `${ALIAS_HEADER} must be 1 to ${MAX_ALIASES} alias names, separated by commas`)
  }
  const reserved = chain.find(isReservedAlias)
  if (reserved !== undefined) {
    throw new HttpProblem(
      400,
      `${ALIAS_HEADER}: ${JSON.stringify(reserved)} is reserved and cannot be an alias`,
    )
  }
  return chain
}

function toWire(event: ChatEvent, turn: ChatTurn, correlationId: string, sequence: number) {
  const common = {
    sequence,
    is_final: false,
    correlation_id: correlationId,
    conversation_id: turn.conversationId,
  }
  switch (event.type) {
    case 'start':
      return { name: 'start', data: { ...common, persona: turn.persona, is_demo: turn.isDemo } }
    case 'delta':
      return { name: 'delta', data: { ...common, content: event.content } }
    case 'tool': {
      const { type: status, id, agent, tool, ok } = event.status
      return {
        name: 'tool',
        data: { ...common, status, id, agent, tool, ...(ok === undefined ? {} : { ok }) },
      }
    }
    case 'end': {
      const { failure, prompts, fingerprint, toolCalls, usage, model } = event.outcome
      const evidence = {
        prompts,
        fingerprint,
        toolCalls,
        usage,
        model,
        is_demo: turn.isDemo,
        is_stored: event.isStored,
      }
      const final = { ...common, content: '', is_final: true, ...evidence }
      if (failure) {
        return {
          name: 'error',
          data: { ...final, sequence: -1, error: failure.message, error_type: failure.type },
        }
      }
      return {
        name: 'done',
        data: { ...final, ...(event.greetingId ? { greeting_id: event.greetingId } : {}) },
      }
    }
  }
}
