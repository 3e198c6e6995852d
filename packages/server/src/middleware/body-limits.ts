import { InvalidInput } from '@promptkeep/client/protocol'
import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'

const MB = 1024 * 1024
/** MLflow's routes need more: 100,000 emoji as Python escapes them are 1.2 MB, a full `log-batch` is 1.4 MB. */
const MLFLOW_BYTES = 4 * MB
const OWN_BYTES = MB

const atMost = (maxSize: number): MiddlewareHandler =>
  bodyLimit({
    maxSize,
    onError: (c) => {
      // What is left of the body would be read only to keep the connection.
      c.header('Connection', 'close')
      throw new InvalidInput(`The request body may have at most ${maxSize / MB} MB on this path.`, {
        status: 413,
      })
    },
  })

export const mlflowBodyLimit = atMost(MLFLOW_BYTES)
export const ownBodyLimit = atMost(OWN_BYTES)
