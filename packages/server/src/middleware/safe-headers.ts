import type { MiddlewareHandler } from 'hono'

/** As MLflow sends them with every answer: what we send is never sniffed into a page, nor framed by a foreign one. */
export const safeHeaders: MiddlewareHandler = async function safeHeaders(c, next) {
  c.header('X-Content-Type-Options', 'nosniff')
  c.header('X-Frame-Options', 'SAMEORIGIN')
  await next()
}
