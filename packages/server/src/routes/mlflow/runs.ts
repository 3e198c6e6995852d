import { InvalidInput } from '@promptkeep/client/protocol'
import { Hono } from 'hono'
import type { ServerEnv } from '../../env.ts'
import type { Store } from '../../store/store.ts'
import { ParamChanged } from '../../store/tracking-errors.ts'
import { experimentIdOf } from './experiment-id.ts'
import {
  atMost,
  double,
  integer,
  keyValue,
  list,
  message,
  missingValue,
  oneOf,
  orDefault,
  required,
  string,
} from './fields.ts'
import { mlflowRequest } from './mlflow-request.ts'
import { nextPage } from './page-token.ts'
import { randomRunName } from './run-name.ts'
import { runBatch, runMetric, runParam, runTag } from './run-rules.ts'
import { wireRun, wireRunInfo } from './run-wire.ts'
import { readTrackingSearch } from './tracking-search.ts'
import { listed, tagsOf } from './wire.ts'

const NAME_TAG = 'mlflow.runName'
/** More than any client sends, and few enough for one statement. */
const MAX_EXPERIMENTS = 10_000

/** The older name `run_uuid` is understood everywhere; where both are sent, `run_id` wins. */
const byRun = { run_id: required(string, 'run_uuid') }
const pair = { key: required(string), value: orDefault(string, '') }
const metric = {
  key: required(string),
  value: required(double),
  timestamp: required(integer),
  step: orDefault(integer, 0),
}
const createFields = {
  experiment_id: orDefault(string, ''),
  user_id: orDefault(string, ''),
  run_name: orDefault(string, ''),
  start_time: orDefault(integer, 0),
  tags: list(keyValue),
}
const updateFields = {
  ...byRun,
  // An unknown status is ignored, as MLflow does.
  status: oneOf('RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'),
  end_time: integer,
  run_name: string,
}
const batchFields = {
  ...byRun,
  metrics: list(message(metric)),
  params: list(message(pair)),
  tags: list(message(pair)),
}
const searchFields = {
  experiment_ids: list(orDefault(string, '')),
  filter: string,
  run_view_type: orDefault(oneOf('ACTIVE_ONLY', 'DELETED_ONLY', 'ALL'), 'ACTIVE_ONLY'),
  max_results: atMost(50_000, orDefault(integer, 1000)),
  order_by: list(orDefault(string, '')),
  page_token: string,
}

/**
 * MLflow's `runs/*`, as far as an eval run needs them.
 *
 * @param random - As `Math.random`, for the names of runs that come without one.
 */
export function runs({ runs }: Pick<Store, 'runs'>, random: () => number) {
  return new Hono<ServerEnv>()
    .post('/runs/create', mlflowRequest(createFields), async (c) => {
      const { experiment_id, user_id: userId, run_name, start_time: startTime, tags } = c.get('request')
      if (experiment_id === '') throw noExperiment()
      const given = tagsOf(tags)
      for (const [key, value] of Object.entries(given)) runTag({ key, value })
      const name = nameOf(run_name, given[NAME_TAG]) || randomRunName(random)
      const experimentId = experimentIdOf(experiment_id)
      const run = await runs.create(
        { experimentId, name, userId, startTime, tags: given },
        c.get('principal'),
      )
      return c.json({ run: wireRun(run) })
    })
    .get('/runs/get', mlflowRequest(byRun), async (c) => {
      const run = await runs.get(c.get('request').run_id)
      return c.json({ run: { ...wireRun(run), outputs: {} } })
    })
    .post('/runs/update', mlflowRequest(updateFields), async (c) => {
      const { run_id, status, end_time: endTime, run_name } = c.get('request')
      const run = await runs.update(run_id, { status, endTime, name: run_name || undefined })
      return c.json({ run_info: wireRunInfo(run) })
    })
    .post('/runs/log-metric', mlflowRequest({ ...byRun, ...metric }), async (c) => {
      const { run_id, key, value, timestamp, step } = c.get('request')
      await runs.log(
        run_id,
        { metrics: [runMetric({ key, value, timestamp, step })], params: [], tags: [] },
        c.get('principal'),
      )
      return c.json({})
    })
    .post('/runs/log-parameter', mlflowRequest({ ...byRun, ...pair }), async (c) => {
      const { run_id, key, value } = c.get('request')
      await runs
        .log(run_id, { metrics: [], params: [runParam({ key, value })], tags: [] }, c.get('principal'))
        .catch((error) => {
          throw asOneParam(error, run_id)
        })
      return c.json({})
    })
    .post('/runs/set-tag', mlflowRequest({ ...byRun, ...pair }), async (c) => {
      const { run_id, key, value } = c.get('request')
      await runs.log(run_id, { metrics: [], params: [], tags: [runTag({ key, value })] }, c.get('principal'))
      return c.json({})
    })
    .post('/runs/log-batch', mlflowRequest(batchFields), async (c) => {
      const { run_id, metrics, params, tags } = c.get('request')
      await runs.log(
        run_id,
        runBatch({ metrics: sent(metrics), params: sent(params), tags: sent(tags) }),
        c.get('principal'),
      )
      return c.json({})
    })
    .post('/runs/search', mlflowRequest(searchFields), async (c) => {
      const request = c.get('request')
      if (request.experiment_ids.length > MAX_EXPERIMENTS)
        throw new InvalidInput(
          `'experiment_ids' has ${request.experiment_ids.length} entries; at most ${MAX_EXPERIMENTS} are allowed`,
        )
      const search = {
        ...readTrackingSearch('runs', request),
        view: request.run_view_type,
        experimentIds: request.experiment_ids.map(experimentIdOf),
      }
      const { items, more } = await runs.search(search)
      const found = items.map((run) => ({ ...wireRun(run), outputs: {} }))
      return c.json({ ...listed('runs', found), ...nextPage(more, search) })
    })
}

/** MLflow's code for it, without the SQL of its message. */
const noExperiment = () =>
  new InvalidInput(missingValue('experiment_id').message, { mlflowCode: 'BAD_REQUEST' })

/** @throws {InvalidInput} when the field and the tag say different things */
function nameOf(field: string, tag = ''): string {
  if (field && tag && field !== tag)
    throw new InvalidInput(
      "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values " +
        `(run_name='${field}', mlflow.runName='${tag}').`,
    )
  return field || tag
}

/** The call for one param has a text of its own. */
function asOneParam(error: unknown, runId: string): unknown {
  const [change] = error instanceof ParamChanged ? error.changes : []
  if (!change) return error
  const { key, before, after } = change
  return new InvalidInput(
    `Changing param values is not allowed. Param with key='${key}' was already logged with value='${before}' ` +
      `for run ID='${runId}'. Attempted logging new value '${after}'.`,
    { cause: error },
  )
}

const sent = <T>(items: readonly (T | undefined)[]): T[] => items.filter((item) => item !== undefined)
