import type { Logger } from '@promptkeep/client'
import { Hono } from 'hono'
import type { ConversationStore } from './db/conversations.ts'
import type { UserStore } from './db/users.ts'
import { type Env, identify, limitBody, loopbackOnly, requestContext, safeHeaders } from './http/guards.ts'
import { createOnError, HttpProblem } from './http/problem.ts'
import { type ChatRouteDeps, chatRoutes } from './routes/chat.ts'
import { conversationRoutes } from './routes/conversations.ts'
import { pageRoutes } from './routes/page.ts'
import { type StatusDeps, statusRoutes } from './routes/status.ts'

export interface AppDeps extends ChatRouteDeps, StatusDeps {
  readonly conversations: ConversationStore
  readonly users: UserStore
  readonly log: Logger
  readonly newId: () => string
}

/** Guards first, then the routes; every error ends in the one `onError`. */
export function createApp(deps: AppDeps): Hono<Env> {
  const app = new Hono<Env>()
  app.onError(createOnError(deps.log))
  app.notFound(() => {
    throw new HttpProblem(404, 'There is nothing at this address')
  })
  app.use(requestContext(deps))
  app.use(safeHeaders)
  app.use(loopbackOnly)
  app.use(limitBody)
  app.route('/', pageRoutes())
  app.route('/', statusRoutes(deps))
  app.use(identify)
  app.route('/', chatRoutes(deps))
  app.route('/', conversationRoutes(deps.conversations, deps.users))
  return app
}
