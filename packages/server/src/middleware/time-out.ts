import { RegistryError } from '@promptkeep/client/protocol'
import type { MiddlewareHandler } from 'hono'

/**
 * Answers for a handler that takes too long, so that no caller waits for ever and no connection is held by what hangs. The
 * handler itself goes on: what it was asked may still come about. A stream is answered when it begins.
 *
 * @param timeoutMs - 0: handlers may take as long as they need.
 */
export const timeOut = (timeoutMs: number): MiddlewareHandler =>
  async function timeOut(c, next) {
    if (timeoutMs === 0) return next()
    let timer: NodeJS.Timeout | undefined
    const tooLong = new Promise<true>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, true)
    })
    const handled = next()
    try {
      if ((await Promise.race([handled, tooLong])) !== true) return
    } finally {
      clearTimeout(timer)
    }
    handled.catch(() => {}) // it is told once, here
    c.header('Retry-After', '5')
    throw new RegistryError(
      'UNAVAILABLE',
      `The request took longer than ${timeoutMs / 1000} s (REQUEST_TIMEOUT_MS); what it asks may still be done. ` +
        'Look before you try again, or send the same request_id.',
      { status: 503, mlflowCode: 'TEMPORARILY_UNAVAILABLE' },
    )
  }
