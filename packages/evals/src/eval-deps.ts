import { DEFAULT_TRACKING_URI, type Json } from '@promptkeep/client'
import { createAdmin, createHttp, readConnection } from '@promptkeep/client/admin'
import type { RegistryLog } from './alias-watch.ts'
import type { EvalRegistry } from './aliases.ts'
import { EvalFailure, messageOf } from './errors.ts'
import { type Git, systemGit } from './git.ts'
import type { EvalDeps, Progress } from './run-eval.ts'
import { type ArtifactCall, createTracking, type MlflowCall } from './tracking.ts'
import type { Tracking } from './tracking-port.ts'

export interface EvalDepsOptions {
  /** Asked for aliases and versions: strict and without a cache, so that what it says is so now. */
  readonly registry: EvalRegistry
  /** The registry's changes. Default: those of the server at `trackingUri`. */
  readonly log?: RegistryLog
  /** Tracking server, and the registry that the target is told. Default `MLFLOW_TRACKING_URI`, then `http://127.0.0.1:5055`. */
  readonly trackingUri?: string | undefined
  /** Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly fetch?: typeof globalThis.fetch
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  /** Default: eight random hex digits. */
  readonly newId?: () => string
  readonly git?: Git
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/**
 * The usual world of an eval: MLflow's REST at the tracking URI, with the client's own credentials.
 * @throws {EvalFailure} `CONFIGURATION`: an address or credentials that cannot be used.
 */
export function createEvalDeps(options: EvalDepsOptions): EvalDeps {
  const { registry, env = process.env, fetch = globalThis.fetch, now = Date.now, git = systemGit } = options
  const trackingUri = options.trackingUri ?? (env.MLFLOW_TRACKING_URI || DEFAULT_TRACKING_URI)
  return {
    registry,
    log: options.log ?? createAdmin({ trackingUri, env, fetch, now }),
    ...openEvalRuns({ trackingUri, env, fetch }),
    trackingUri,
    fetch,
    env,
    now,
    newId: options.newId ?? (() => crypto.randomUUID().slice(0, 8)),
    git,
    signal: options.signal,
    onProgress: options.onProgress,
  }
}

/**
 * The runs of evals, and the MLflow experiment that they are logged to: all that reading them takes.
 * @throws {EvalFailure} `CONFIGURATION`: an address or credentials that cannot be used.
 */
export function openEvalRuns(options: Pick<EvalDepsOptions, 'trackingUri' | 'env' | 'fetch'> = {}): {
  readonly tracking: Tracking
  readonly experiment: string
} {
  const { env = process.env, fetch = globalThis.fetch } = options
  const trackingUri = options.trackingUri ?? (env.MLFLOW_TRACKING_URI || DEFAULT_TRACKING_URI)
  const http = createHttp({ connection: connectionTo(trackingUri, env), fetch, random: Math.random })
  return {
    tracking: createTracking(mlflowCall(http), artifactCall(http)),
    experiment: env.MLFLOW_EXPERIMENT_NAME || 'promptkeep-evals',
  }
}

type Http = ReturnType<typeof createHttp>

/** MLflow's REST with the client's own connection: one way of reading credentials, one of trying again. */
function mlflowCall(http: Http): MlflowCall {
  return async (method, path, fields, { once = false } = {}) => {
    const answer = await http.within({}, (send) =>
      send({
        method,
        path: `/api/2.0/mlflow/${path}`,
        ...(method === 'GET' ? { query: fields as Record<string, string> } : { body: fields }),
        ...(once ? { beforeRetry: 'never' as const } : {}),
      }),
    )
    return answer as Readonly<Record<string, Json>>
  }
}

/** A table may be some megabytes. */
const ARTIFACT_TIMEOUT_MS = 60_000

function artifactCall(http: Http): ArtifactCall {
  return (path, text) =>
    http.within({ timeoutMs: ARTIFACT_TIMEOUT_MS }, (send) =>
      send({
        method: 'PUT',
        path: `/api/2.0/mlflow-artifacts/artifacts/${path}`,
        body: text,
        isText: true,
      }),
    )
}

function connectionTo(trackingUri: string, env: EvalDeps['env']): ReturnType<typeof readConnection> {
  try {
    return readConnection(trackingUri, env)
  } catch (error) {
    throw new EvalFailure('CONFIGURATION', messageOf(error), { cause: error })
  }
}
