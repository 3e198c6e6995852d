import { InvalidInput } from '@promptkeep/client/protocol'
import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'

const MB = 1024 * 1024
/** MLflow's routes need more: 100,000 emoji as Python escapes them are 1.2 MB, a full `log-batch` is 1.4 MB. */
const MLFLOW_BYTES = 4 * MB
const OWN_BYTES = MB

function atMost(maxSize: number): MiddlewareHandler {
  const onError = (c: Context): never => {
    // What is left of the body would be read only to keep the connection.
    c.header('Connection', 'close')
    throw new InvalidInput(`The request body may have at most ${maxSize / MB} MB on this path.`, {
      status: 413,
    })
  }
  const counted = bodyLimit({ maxSize, onError })

  return async function limitBody(c, next) {
    const { method } = c.req
    // Their handlers read no body, or limit it themselves.
    if (method === 'GET' || method === 'HEAD') return next()
    const length = c.req.header('content-length')
    // Counting makes a stream of the body, which costs more than the rest of the request. A length that was sent is
    // what Node's parser lets through.
    if (length === undefined || c.req.header('transfer-encoding') !== undefined) return counted(c, next)
    return Number.parseInt(length, 10) > maxSize ? onError(c) : next()
  }
}

export const mlflowBodyLimit = atMost(MLFLOW_BYTES)
export const ownBodyLimit = atMost(OWN_BYTES)
