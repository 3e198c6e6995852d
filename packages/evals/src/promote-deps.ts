import { createRegistry, DEFAULT_TRACKING_URI, type Registry, type RegistryOptions } from '@promptkeep/client'
import { type Admin, type AdminOptions, createAdmin } from '@promptkeep/client/admin'
import { createEvalDeps, type EvalDepsOptions } from './eval-deps.ts'
import type { PromoteDeps } from './promote.ts'
import { asRole, EVALUATOR_TOKEN, PROMOTER_TOKEN } from './role-env.ts'

/** As for an eval; both registries are made here, each with the token of its role. */
export interface PromoteDepsOptions extends Omit<EvalDepsOptions, 'registry'> {
  readonly onLine?: ((line: string) => void) | undefined
  /** Default: the client's. */
  readonly createRegistry?: (options: RegistryOptions) => Registry
  readonly createAdmin?: (options: AdminOptions) => Admin
}

/** Longer than an app waits: nobody's answer hangs on it. */
const TIMEOUT_MS = 10_000

/**
 * The usual world of a promotion: runs are read, made and judged as the evaluator (`PROMPTKEEP_EVALUATOR_TOKEN`), and the
 * alias is moved as the promoter (`PROMPTKEEP_PROMOTER_TOKEN`); `MLFLOW_TRACKING_TOKEN` stands in for either.
 * @throws {EvalFailure} `CONFIGURATION`, and {InvalidInput}: an address or credentials that cannot be used
 */
export function createPromoteDeps(options: PromoteDepsOptions = {}): PromoteDeps & {
  readonly registry: Registry
  readonly admin: Admin
  close(): Promise<void>
} {
  const { env = process.env, now = Date.now, onLine } = options
  const trackingUri = options.trackingUri ?? (env.MLFLOW_TRACKING_URI || DEFAULT_TRACKING_URI)
  const evaluator = asRole(EVALUATOR_TOKEN, { trackingUri, env })
  const promoter = asRole(PROMOTER_TOKEN, { trackingUri, env })
  const open = options.createRegistry ?? createRegistry
  const strict = { now, strict: true, cacheTtlSeconds: 0, timeoutMs: TIMEOUT_MS } as const
  const { fetch } = options
  const more = fetch === undefined ? {} : { fetch }
  const judging = open({ ...evaluator, ...strict, ...more })
  const registry = open({ ...promoter, ...strict, ...more })
  return {
    registry,
    admin: (options.createAdmin ?? createAdmin)({ ...promoter, now, timeoutMs: TIMEOUT_MS, ...more }),
    evals: createEvalDeps({ ...options, ...evaluator, registry: judging }),
    now,
    onLine,
    async close() {
      await Promise.all([judging.close(), registry.close()])
    },
  }
}
