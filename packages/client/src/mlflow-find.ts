import type { Send } from './http.ts'
import type { PromptVersion } from './prompt.ts'
import { readRecord, toPromptVersion } from './wire.ts'

export const ROOT = '/api/2.0/mlflow'

/** The two requests that a load makes, one each. */
export const findByAlias = (send: Send, name: string, alias: string) =>
  find(send, '/registered-models/alias', { name, alias })

export const findByVersion = (send: Send, name: string, version: number) =>
  find(send, '/model-versions/get', { name, version })

async function find(
  send: Send,
  path: string,
  query: { name: string; alias?: string; version?: number },
): Promise<PromptVersion> {
  const answer = await send({ method: 'GET', path: `${ROOT}${path}`, query, about: query })
  return toPromptVersion(readRecord(answer, 'answer').model_version)
}
