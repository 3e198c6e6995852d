import type { Json } from '@promptkeep/client'
import type { MetricPoint, TrackedRun } from './tracking-port.ts'
import type { Fields } from './tracking-wire.ts'

export interface RunCalls {
  /** One POST under `/api/2.0/mlflow/`. */
  send(path: string, fields: Fields): Promise<Fields>
  /** Puts a file under the run's artifacts; false where the server takes none. */
  put(path: string, text: string): Promise<boolean>
}

/** One run that exists, to write to it. */
export function createTrackedRun(
  { id, experimentId }: Pick<TrackedRun, 'id' | 'experimentId'>,
  { send, put }: RunCalls,
): TrackedRun {
  async function batches<T extends Json>(field: string, items: readonly T[], size: number): Promise<void> {
    for (let start = 0; start < items.length; start += size) {
      await send('runs/log-batch', { run_id: id, [field]: items.slice(start, start + size) as Json })
    }
  }
  const logPoints = (points: readonly MetricPoint[]) =>
    batches(
      'metrics',
      points.map(({ key, value, step, timestamp }) => ({ key, value, step, timestamp })),
      POINTS,
    )
  return {
    id,
    experimentId,
    logPoints,
    logParams: (params) => batches('params', pairs(params), PAIRS),
    logMetrics: (metrics, timestamp) =>
      logPoints(Object.entries(metrics).map(([key, value]) => ({ key, value, step: 0, timestamp }))),
    setTags: (tags) => batches('tags', pairs(tags), PAIRS),
    logArtifact: put,
    async finish(status, atMs) {
      await send('runs/update', { run_id: id, status, end_time: atMs })
    },
  }
}

/** What MLflow takes in one call: of params and tags, and of points. */
const PAIRS = 100
const POINTS = 1000

export const pairs = (values: Readonly<Record<string, string>>): { key: string; value: string }[] =>
  Object.entries(values).map(([key, value]) => ({ key, value }))
