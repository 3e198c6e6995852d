import type { MiddlewareHandler } from 'hono'
import type { Metrics } from '../metrics.ts'

/** Counts and times every answer, also the refusals of what comes behind it. */
export const measure = (metrics: Pick<Metrics, 'answered'>, elapsedMs: () => number): MiddlewareHandler =>
  async function measure(c, next) {
    const startedMs = elapsedMs()
    await next()
    const { method, path } = c.req
    metrics.answered({ method, path, status: c.res.status, ms: elapsedMs() - startedMs })
  }
