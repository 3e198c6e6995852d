import { readConnection } from './connection.ts'
import { createHttp } from './http.ts'
import type { MlflowCalls } from './mlflow-calls.ts'
import { findByAlias, findByVersion } from './mlflow-find.ts'
import { type Env, readEnvironment } from './platform.ts'
import type { Transport } from './transport.ts'

export interface MlflowOptions {
  /** http or https; may hold `user:password@`. */
  readonly trackingUri: string
  /** Credentials and workspace are read from here. Default `process.env` where there is one. */
  readonly env?: Env
  readonly fetch?: typeof fetch
  /** 0 ≤ n < 1, for jitter. */
  readonly random?: () => number
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  /** A new id for each request that must have its effect once. Default: a random UUID. */
  readonly newId?: () => string
}

/**
 * MLflow's REST, as an untouched MLflow server and ours speak it. What only ours can do (compare-and-set in one
 * transaction, seeding in one call, the change log) is used when `capabilities` says so, and made up for as well as
 * can be when not.
 * @throws {InvalidInput} for an address or a credential that cannot be used
 */
export function createMlflowTransport(options: MlflowOptions): Transport {
  const { env = readEnvironment(), fetch = globalThis.fetch, random = Math.random, now = Date.now } = options
  const { newId = () => crypto.randomUUID() } = options
  const connection = readConnection(options.trackingUri, env)
  const { address, scope } = connection
  const http = createHttp({ connection, fetch, random })
  let calls: Promise<MlflowCalls> | undefined

  const lazily =
    <Name extends keyof MlflowCalls>(name: Name) =>
    async (...given: never[]) => {
      calls ??= import('./mlflow-calls.ts').then((it) => it.createMlflowCalls({ http, address, now, newId }))
      return ((await calls)[name] as (...all: never[]) => unknown)(...given)
    }

  return {
    address,
    scope,
    findByAlias: (name, alias, limits) => http.within(limits, (send) => findByAlias(send, name, alias)),
    findByVersion: (name, version, limits) =>
      http.within(limits, (send) => findByVersion(send, name, version)),
    capabilities: lazily('capabilities'),
    find: lazily('find'),
    list: lazily('list'),
    versions: lazily('versions'),
    register: lazily('register'),
    moveAlias: lazily('moveAlias'),
    seed: lazily('seed'),
    changes: lazily('changes'),
  } as Transport
}
