import type { Principal } from './store/store.ts'

/** What every handler finds in its context, set by the middleware in `app.ts`. */
export interface ServerEnv {
  Variables: {
    /** Of the request, made by this server: no two are the same. */
    requestId: string
    /** Of what the request is a part of: the caller's `X-Correlation-Id` when it is well-formed, else a fresh one. */
    correlationId: string
    /** Who is asking and what they may: `ANYBODY` while the server has no tokens, without any role on open routes. */
    principal: Principal
    /** Whether that still holds: for answers that go on for long. Looks into the database once a second at most. */
    stillGood: () => Promise<boolean>
  }
}
