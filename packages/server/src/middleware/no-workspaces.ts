import { InvalidInput } from '@promptkeep/client/protocol'
import type { MiddlewareHandler } from 'hono'

/** Answering for another workspace than the one that was asked for would show one team's prompts to another. */
export const noWorkspaces: MiddlewareHandler = async function noWorkspaces(c, next) {
  if (c.req.header('x-mlflow-workspace') !== undefined)
    throw new InvalidInput('Workspace APIs are not available: workspaces are not enabled on this server', {
      mlflowCode: 'FEATURE_DISABLED',
    })
  await next()
}
