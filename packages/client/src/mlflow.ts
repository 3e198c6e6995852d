import { readConnection } from './connection.ts'
import { lazy, methodsOf } from './lazy.ts'
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
  const finder = lazy(async () => {
    const { createMlflowFinder } = await import('./mlflow-find.ts')
    return createMlflowFinder({ connection, fetch, random })
  })
  // What a load needs is read at once: a deploy may replace the files under a program that runs.
  void finder()
  const calls = lazy(async () => {
    const { createMlflowCalls } = await import('./mlflow-calls.ts')
    const { http } = await finder()
    return createMlflowCalls({ http, address, now, newId })
  })
  return {
    address,
    scope,
    ...methodsOf(finder, ['findByAlias', 'findByVersion']),
    ...methodsOf(calls, [
      'capabilities',
      'find',
      'list',
      'versions',
      'register',
      'moveAlias',
      'seed',
      'changes',
    ]),
  }
}
