/** What every handler finds in its context, set by the middleware in `app.ts`. */
export interface ServerEnv {
  Variables: {
    /** Of the request: the caller's `X-Correlation-Id` when it is well-formed, else a fresh one. */
    correlationId: string
    /** Who is asking, for the change log. `anonymous` until there are tokens. */
    actor: string
  }
}
