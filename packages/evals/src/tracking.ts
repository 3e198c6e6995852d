import { hasCode, isOutage, type Json } from '@promptkeep/client'
import { EvalFailure, messageOf } from './errors.ts'
import { createTrackedRun, pairs } from './tracked-run.ts'
import type { LoggedRun, MetricPoint, TrackedRun, Tracking } from './tracking-port.ts'
import { type Fields, fieldsOf, listOf, readPoint, readRun, text } from './tracking-wire.ts'

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

/**
 * Puts a file at a path below the server's artifacts (`PUT /api/2.0/mlflow-artifacts/artifacts/<path>`); rejects with a
 * `RegistryError` that has the answer's status.
 */
export type ArtifactCall = (path: string, text: string) => Promise<unknown>

export function createTracking(call: MlflowCall, putArtifact: ArtifactCall): Tracking {
  /** Whatever goes wrong here, nobody can see the run: no verdict. */
  async function ask(doing: Doing, ...args: Parameters<MlflowCall>): ReturnType<MlflowCall> {
    try {
      return await call(...args)
    } catch (error) {
      throw failure(error, doing)
    }
  }

  async function findExperiment(name: string, doing: Doing): Promise<string | undefined> {
    try {
      const { experiment } = await call('GET', 'experiments/get-by-name', { experiment_name: name })
      const { experiment_id: id, lifecycle_stage: stage } = fieldsOf(experiment)
      if (stage === 'active') return text(id, 'experiment_id')
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error instanceof EvalFailure ? error : failure(error, doing)
    }
    const hint = 'restore it, or name another experiment'
    throw new EvalFailure('CONFIGURATION', `the MLflow experiment ${name} is deleted: ${hint}`)
  }

  async function experimentId(name: string): Promise<string> {
    const existing = await findExperiment(name, 'logged')
    if (existing !== undefined) return existing
    try {
      const made = await call('POST', 'experiments/create', { name })
      return text(made.experiment_id, 'experiment_id')
    } catch (error) {
      // Two suites may start at once: whoever loses finds the winner's.
      const winner = isTaken(error) ? await findExperiment(name, 'logged') : undefined
      if (winner !== undefined) return winner
      throw failure(error, 'logged')
    }
  }

  async function infoOf(id: string, doing: Doing): Promise<Fields> {
    try {
      return fieldsOf((await call('GET', 'runs/get', { run_id: id })).run)
    } catch (error) {
      if (isMissing(error)) throw new EvalFailure('CONFIGURATION', `the tracking server has no run ${id}`)
      throw failure(error, doing)
    }
  }

  function runOf(ids: Pick<TrackedRun, 'id' | 'experimentId'>, artifactUri?: string): TrackedRun {
    return createTrackedRun(ids, {
      send: (path, fields) => ask('logged', 'POST', path, fields),
      async put(path, content) {
        const uri = artifactUri ?? String(fieldsOf((await infoOf(ids.id, 'logged')).info).artifact_uri ?? '')
        const root = ARTIFACTS.exec(uri)?.[1]
        if (root === undefined) return false
        try {
          await putArtifact(
            [...root.split('/'), ...path.split('/')].map(encodeURIComponent).join('/'),
            content,
          )
          return true
        } catch (error) {
          if (takesNone(error)) return false
          throw failure(error, 'logged')
        }
      },
    })
  }

  return {
    async startRun({ experiment, name, tags, startedAt }) {
      const experiment_id = await experimentId(experiment)
      const fields = { experiment_id, run_name: name, start_time: startedAt, tags: pairs(tags) }
      const { run } = await ask('logged', 'POST', 'runs/create', fields, { once: true })
      const { run_id, artifact_uri } = fieldsOf(fieldsOf(run).info)
      const ids = { id: text(run_id, 'run_id'), experimentId: experiment_id }
      return runOf(ids, typeof artifact_uri === 'string' ? artifact_uri : undefined)
    },

    async getRun(id) {
      const { isDeleted, ...run } = readRun(await infoOf(id, 'read'))
      if (!isDeleted) return run
      throw new EvalFailure('CONFIGURATION', `the run ${id} is deleted: restore it, or name another run`)
    },

    openRun: (run) => runOf(run),

    async findRuns({ experiment, filter, order = 'started', limit = 100, pageToken }) {
      const id = await findExperiment(experiment, 'read')
      if (id === undefined) return { runs: [] }
      const answer = await ask('read', 'POST', 'runs/search', {
        experiment_ids: [id],
        max_results: limit,
        run_view_type: 'ACTIVE_ONLY',
        order_by: [`attributes.${order === 'started' ? 'start_time' : 'end_time'} DESC`],
        ...(filter === undefined ? {} : { filter }),
        ...(pageToken === undefined ? {} : { page_token: pageToken }),
      })
      const runs = listOf(answer.runs).map((found): LoggedRun => {
        const { isDeleted: _, ...run } = readRun(found)
        return run
      })
      const next = answer.next_page_token
      return { runs, ...(typeof next === 'string' && next !== '' ? { nextPageToken: next } : {}) }
    },

    async metricHistory(runId, key) {
      const points: MetricPoint[] = []
      let token: Json | undefined
      do {
        const answer = await ask('read', 'GET', 'metrics/get-history', {
          run_id: runId,
          metric_key: key,
          max_results: HISTORY_PAGE,
          ...(token ? { page_token: token } : {}),
        })
        points.push(...listOf(answer.metrics).map(readPoint))
        token = answer.next_page_token
      } while (token)
      return points.sort((a, b) => a.timestamp - b.timestamp || a.step - b.step)
    },
  }
}

/** What MLflow's own client asks for at once. */
const HISTORY_PAGE = 25_000

/** Artifacts that go through the tracking server itself; anything else is a store that only its own credentials open. */
const ARTIFACTS = /^mlflow-artifacts:\/(?!\/)(.+?)\/?$/

/** No such route (ours), not allowed, or switched off (stock MLflow's `--no-serve-artifacts`). */
function takesNone(error: unknown): boolean {
  const status = error instanceof Error && 'status' in error ? error.status : undefined
  return status === 404 || status === 405 || status === 501 || status === 503
}

/** What cannot be done with a run, in a message's words. */
type Doing = 'logged' | 'read'

const mlflowCode = (error: unknown): unknown =>
  error instanceof Error && 'mlflowCode' in error ? error.mlflowCode : undefined
const isMissing = (error: unknown): boolean =>
  hasCode(error, 'PROMPT_NOT_FOUND') || mlflowCode(error) === 'RESOURCE_DOES_NOT_EXIST'
const isTaken = (error: unknown): boolean => mlflowCode(error) === 'RESOURCE_ALREADY_EXISTS'

function failure(error: unknown, doing: Doing): EvalFailure {
  if (error instanceof EvalFailure) return error
  const code = isOutage(error) ? 'INFRASTRUCTURE' : 'CONFIGURATION'
  const message = `${doing === 'logged' ? 'the run cannot be logged' : 'runs cannot be read'}: ${messageOf(error)}`
  return new EvalFailure(code, message, { cause: error })
}
