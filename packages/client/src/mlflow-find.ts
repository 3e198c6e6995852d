import { createHttp, type Http, type HttpOptions, type Send } from './http.ts'
import type { PromptVersion } from './prompt.ts'
import type { Transport } from './transport.ts'
import { readRecord, toPromptVersion } from './wire.ts'

export const ROOT = '/api/2.0/mlflow'

/** What a load asks: one request each. */
export interface MlflowFinder extends Pick<Transport, 'findByAlias' | 'findByVersion'> {
  /** For everything else. */
  readonly http: Http
}

export function createMlflowFinder(options: HttpOptions): MlflowFinder {
  const http = createHttp(options)
  return {
    http,
    findByAlias: (name, alias, limits) => http.within(limits, (send) => findByAlias(send, name, alias)),
    findByVersion: (name, version, limits) =>
      http.within(limits, (send) => find(send, '/model-versions/get', { name, version })),
  }
}

export const findByAlias = (send: Send, name: string, alias: string) =>
  find(send, '/registered-models/alias', { name, alias })

async function find(
  send: Send,
  path: string,
  query: { readonly name: string; readonly alias?: string; readonly version?: number },
): Promise<PromptVersion> {
  const answer = await send({ method: 'GET', path: `${ROOT}${path}`, query, about: query })
  return toPromptVersion(readRecord(answer, 'answer').model_version)
}
