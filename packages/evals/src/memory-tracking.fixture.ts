import { EvalFailure } from './errors.ts'
import type { LoggedRun, MetricPoint, TrackedRun, Tracking } from './tracking-port.ts'

/** A run as `createMemoryTracking` holds it. */
export interface MemoryRun {
  id: string
  experimentId: string
  name: string
  status: string
  startedAt: number
  endedAt?: number
  params: Record<string, string>
  tags: Record<string, string>
  metrics: Record<string, number>
  points: MetricPoint[]
  /** By path. */
  artifacts: Record<string, string>
}

/**
 * Tracking in this process, for unit tests. Its filter language: `params.k = 'v'`, `tags.k = 'v'` and
 * `attributes.status = 'v'`, joined by `and`. Real servers: `tests/eval-logged.test.ts`.
 */
export function createMemoryTracking(options: { readonly takesArtifacts?: boolean } = {}): Tracking & {
  /** In the order in which they were started; a test may add and change some. */
  readonly runs: MemoryRun[]
} {
  const runs: MemoryRun[] = []
  const experiments: string[] = []

  function found(id: string): MemoryRun {
    const run = runs.find((one) => one.id === id)
    if (run) return run
    throw new EvalFailure('CONFIGURATION', `the tracking server has no run ${id}`)
  }

  function writer({ id, experimentId }: Pick<LoggedRun, 'id' | 'experimentId'>): TrackedRun {
    const logPoints: TrackedRun['logPoints'] = async (points) => {
      const run = found(id)
      run.points.push(...points)
      for (const { key, value } of points) run.metrics[key] = value
    }
    return {
      id,
      experimentId,
      logPoints,
      logParams: async (params) => void Object.assign(found(id).params, params),
      logMetrics: (metrics, timestamp) =>
        logPoints(Object.entries(metrics).map(([key, value]) => ({ key, value, step: 0, timestamp }))),
      setTags: async (tags) => void Object.assign(found(id).tags, tags),
      async logArtifact(path, text) {
        if (options.takesArtifacts === false) return false
        found(id).artifacts[path] = text
        return true
      },
      finish: async (status, endedAt) => void Object.assign(found(id), { status, endedAt }),
    }
  }

  return {
    runs,
    async startRun({ experiment, name, tags, startedAt }) {
      if (!experiments.includes(experiment)) experiments.push(experiment)
      const run: MemoryRun = {
        id: `r${runs.length + 1}`,
        experimentId: String(experiments.indexOf(experiment) + 1),
        name,
        status: 'RUNNING',
        startedAt,
        params: {},
        tags: { ...tags },
        metrics: {},
        points: [],
        artifacts: {},
      }
      runs.push(run)
      return writer(run)
    },
    getRun: async (id) => found(id),
    openRun: writer,
    async findRuns({ experiment, filter, order = 'started', limit = 100, pageToken }) {
      const timeOf = (run: MemoryRun) => (order === 'started' ? run.startedAt : (run.endedAt ?? 0))
      const id = String(experiments.indexOf(experiment) + 1)
      const matching = runs
        .filter((run) => run.experimentId === id && matches(run, filter))
        .sort((a, b) => timeOf(b) - timeOf(a))
      const start = Number(pageToken ?? 0)
      const end = start + limit
      return {
        runs: matching.slice(start, end),
        ...(end < matching.length ? { nextPageToken: String(end) } : {}),
      }
    },
    metricHistory: async (runId, key) =>
      found(runId)
        .points.filter((point) => point.key === key)
        .sort((a, b) => a.timestamp - b.timestamp || a.step - b.step),
  }
}

const CLAUSE = /^(params|tags|attributes)\.(?:`([^`]+)`|"([^"]+)"|([\w.-]+)) = '([^']*)'$/

function matches(run: MemoryRun, filter = ''): boolean {
  const clauses = filter.split(/ and /i).filter((clause) => clause !== '')
  return clauses.every((clause) => {
    const [, of, a, b, c, value] = CLAUSE.exec(clause.trim()) ?? []
    const key = a ?? b ?? c ?? ''
    if (of === 'params') return run.params[key] === value
    if (of === 'tags') return run.tags[key] === value
    if (of === 'attributes' && key === 'status') return run.status === value
    throw new EvalFailure('CONFIGURATION', `the memory cannot filter by ${clause}`)
  })
}
