import { EvalFailure } from './errors.ts'
import { type EvalRun, findRuns, readEvalRun } from './eval-run.ts'
import type { EvidenceRun } from './evidence.ts'
import type { Tracking } from './tracking-port.ts'

export interface RunPlace {
  /** MLflow experiment, by name: where short ids and `latest` are looked for. */
  readonly experiment: string
  /** What `latest` and `previous` are about. */
  readonly suite?: string | undefined
  /** The run that `previous` comes before. */
  readonly after?: EvalRun | undefined
}

/** MLflow's ids are this long. */
const WHOLE_ID = 32
/** Fewer characters of an id are too easily another run's. */
export const SHORTEST_ID = 8

/**
 * The run that a person means: by its id, by the beginning of it, as `latest` (the newest complete run of the suite) or as
 * `previous` (the newest complete one on the same dataset before another run).
 * @throws {EvalFailure} `CONFIGURATION`: there is none, or more than one
 */
export async function findRun(
  ref: string,
  place: RunPlace,
  { tracking }: { readonly tracking: Pick<Tracking, 'findRuns' | 'getRun'> },
): Promise<EvidenceRun> {
  if (ref === 'latest') return latestRun(place, tracking)
  if (ref === 'previous') return previousRun(place, tracking)
  const id = ref.replace(/^runs:\//, '')
  if (!/^[\w-]+$/.test(id))
    throw new EvalFailure(
      'CONFIGURATION',
      `a run is named by its id, latest or previous, not ${JSON.stringify(ref)}`,
    )
  const run = id.length >= WHOLE_ID ? await byId(id, tracking) : await byPrefix(id, place, tracking)
  if (run.suite !== undefined) return run
  throw new EvalFailure(
    'CONFIGURATION',
    `the run ${run.id} is no eval run: it has no param suite, so it was not logged by promptkeep eval`,
  )
}

async function byId(id: string, tracking: Pick<Tracking, 'getRun'>): Promise<EvidenceRun> {
  const logged = await tracking.getRun(id)
  return { ...readEvalRun(logged), logged }
}

async function byPrefix(
  prefix: string,
  { experiment }: RunPlace,
  tracking: Pick<Tracking, 'findRuns'>,
): Promise<EvidenceRun> {
  if (prefix.length < SHORTEST_ID)
    throw new EvalFailure(
      'CONFIGURATION',
      `${prefix} is too short for a run's id: give at least ${SHORTEST_ID} characters of it`,
    )
  const found: EvidenceRun[] = []
  for await (const run of findRuns(tracking, { experiment })) if (run.id.startsWith(prefix)) found.push(run)
  const [run, ...more] = found
  if (!run)
    throw new EvalFailure(
      'CONFIGURATION',
      `no eval run of the MLflow experiment ${experiment} has an id that starts with ${prefix}`,
    )
  if (more.length === 0) return run
  const ids = found.map(({ id }) => id).join(', ')
  throw new EvalFailure('CONFIGURATION', `${prefix} is the beginning of more than one run's id: ${ids}`)
}

async function latestRun(
  { experiment, suite }: RunPlace,
  tracking: Pick<Tracking, 'findRuns'>,
): Promise<EvidenceRun> {
  if (suite === undefined)
    throw new EvalFailure('CONFIGURATION', 'latest is the newest run of a suite: name the suite (--suite)')
  for await (const run of findRuns(tracking, { experiment, suite, status: 'FINISHED', order: 'ended' }))
    if (run.isComplete) return run
  throw new EvalFailure(
    'CONFIGURATION',
    `there is no complete run of ${suite} in the MLflow experiment ${experiment}`,
  )
}

async function previousRun(
  { experiment, after }: RunPlace,
  tracking: Pick<Tracking, 'findRuns'>,
): Promise<EvidenceRun> {
  if (after === undefined)
    throw new EvalFailure('CONFIGURATION', 'previous is the run before another one: give it as the baseline')
  const { suite, datasetDigest, startedAt } = after
  const runs = findRuns(tracking, { experiment, suite, datasetDigest, status: 'FINISHED', order: 'ended' })
  for await (const run of runs)
    if (run.isComplete && run.id !== after.id && (run.endedAt ?? 0) <= startedAt) return run
  throw new EvalFailure(
    'CONFIGURATION',
    `there is no complete run of ${suite} on the same dataset before ${after.id} in the MLflow experiment ${experiment}`,
  )
}
