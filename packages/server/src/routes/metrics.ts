import { Hono } from 'hono'
import type { ServerEnv } from '../env.ts'
import type { Metrics } from '../metrics.ts'

/** `GET /metrics`, in the text format of Prometheus. */
export const metricsRoute = (metrics: Pick<Metrics, 'render'>) =>
  new Hono<ServerEnv>().get('/metrics', async (c) => {
    const { text, contentType } = await metrics.render()
    return c.body(text, 200, { 'Content-Type': contentType, 'Cache-Control': 'no-store' })
  })
