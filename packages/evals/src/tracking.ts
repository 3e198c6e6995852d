import { hasCode, isOutage, type Json } from '@promptkeep/client'
import { EvalFailure, messageOf } from './errors.ts'

/**
 * One call of MLflow's REST, under `/api/2.0/mlflow/`: answers the JSON that came back, and rejects with a
 * `RegistryError` (`mlflowCode` is the wire's own). `once`: a second try would have a second effect.
 */
export type MlflowCall = (
  method: 'GET' | 'POST',
  path: string,
  fields: Readonly<Record<string, Json>>,
  options?: { readonly once?: boolean },
) => Promise<Readonly<Record<string, Json>>>

export type RunStatus = 'FINISHED' | 'FAILED' | 'KILLED'

/** One MLflow run. Every method rejects with an `EvalFailure` when the server cannot be written to. */
export interface TrackedRun {
  readonly id: string
  readonly experimentId: string
  logParams(params: Readonly<Record<string, string>>): Promise<void>
  /** At `atMs`, milliseconds since the epoch. */
  logMetrics(metrics: Readonly<Record<string, number>>, atMs: number): Promise<void>
  setTags(tags: Readonly<Record<string, string>>): Promise<void>
  finish(status: RunStatus, atMs: number): Promise<void>
}

/** MLflow tracking, our server's or a stock one's: as much of it as an eval run needs. */
export interface Tracking {
  /** Starts a run in an experiment, which is made when there is none of this name. */
  startRun(run: {
    readonly experiment: string
    readonly name: string
    readonly tags: Readonly<Record<string, string>>
    readonly startedAt: number
  }): Promise<TrackedRun>
}

export function createTracking(call: MlflowCall): Tracking {
  /** Whatever goes wrong here, the run cannot be seen: no verdict. */
  async function send(...args: Parameters<MlflowCall>): ReturnType<MlflowCall> {
    try {
      return await call(...args)
    } catch (error) {
      throw failure(error)
    }
  }

  async function findExperiment(name: string): Promise<string | undefined> {
    try {
      const { experiment } = await call('GET', 'experiments/get-by-name', { experiment_name: name })
      const { experiment_id: id, lifecycle_stage: stage } = fieldsOf(experiment)
      if (stage === 'active') return text(id, 'experiment_id')
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error instanceof EvalFailure ? error : failure(error)
    }
    const hint = 'restore it, or name another experiment'
    throw new EvalFailure('CONFIGURATION', `the MLflow experiment ${name} is deleted: ${hint}`)
  }

  async function experimentId(name: string): Promise<string> {
    const existing = await findExperiment(name)
    if (existing !== undefined) return existing
    try {
      const made = await call('POST', 'experiments/create', { name })
      return text(made.experiment_id, 'experiment_id')
    } catch (error) {
      // Two suites may start at once: whoever loses finds the winner's.
      const winner = isTaken(error) ? await findExperiment(name) : undefined
      if (winner !== undefined) return winner
      throw failure(error)
    }
  }

  return {
    async startRun({ experiment, name, tags, startedAt }) {
      const experiment_id = await experimentId(experiment)
      const fields = { experiment_id, run_name: name, start_time: startedAt, tags: pairs(tags) }
      const { run } = await send('POST', 'runs/create', fields, { once: true })
      const run_id = text(fieldsOf(fieldsOf(run).info).run_id, 'run_id')
      const batch = (fields: Readonly<Record<string, Json>>) =>
        send('POST', 'runs/log-batch', { run_id, ...fields })
      return {
        id: run_id,
        experimentId: experiment_id,
        async logParams(params) {
          for (const chunk of chunks(pairs(params), BATCH)) await batch({ params: chunk })
        },
        async logMetrics(metrics, atMs) {
          const points = Object.entries(metrics).map(([key, value]) => ({
            key,
            value,
            timestamp: atMs,
            step: 0,
          }))
          for (const chunk of chunks(points, BATCH)) await batch({ metrics: chunk })
        },
        async setTags(given) {
          for (const chunk of chunks(pairs(given), BATCH)) await batch({ tags: chunk })
        },
        async finish(status, atMs) {
          await send('POST', 'runs/update', { run_id, status, end_time: atMs })
        },
      }
    },
  }
}

/** MLflow takes 100 params or tags in one call. */
const BATCH = 100

type Pair = { key: string; value: string }

const pairs = (values: Readonly<Record<string, string>>): Pair[] =>
  Object.entries(values).map(([key, value]) => ({ key, value }))

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )

const fieldsOf = (value: Json | undefined): Readonly<Record<string, Json>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, Json>>)
    : {}

function text(value: Json | undefined, field: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new EvalFailure('INFRASTRUCTURE', `the tracking server's answer has no ${field}`)
}

const mlflowCode = (error: unknown): unknown =>
  error instanceof Error && 'mlflowCode' in error ? error.mlflowCode : undefined
const isMissing = (error: unknown): boolean =>
  hasCode(error, 'PROMPT_NOT_FOUND') || mlflowCode(error) === 'RESOURCE_DOES_NOT_EXIST'
const isTaken = (error: unknown): boolean => mlflowCode(error) === 'RESOURCE_ALREADY_EXISTS'

function failure(error: unknown): EvalFailure {
  if (error instanceof EvalFailure) return error
  const code = isOutage(error) ? 'INFRASTRUCTURE' : 'CONFIGURATION'
  const message = `the run cannot be logged: ${messageOf(error)}`
  return new EvalFailure(code, message, { cause: error })
}
