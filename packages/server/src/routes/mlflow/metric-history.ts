import { InvalidInput } from '@promptkeep/client/protocol'
import { Hono } from 'hono'
import type { ServerEnv } from '../../env.ts'
import type { Store } from '../../store/store.ts'
import { integer, required, string } from './fields.ts'
import { mlflowRequest } from './mlflow-request.ts'
import { nextPage, offsetOf } from './page-token.ts'
import { wireMetric } from './run-wire.ts'
import { listed } from './wire.ts'

/** MLflow sends any number at once, or all; here that is a page, and the token leads on. */
const MAX_POINTS = 50_000

const fields = {
  run_id: required(string, 'run_uuid'),
  metric_key: required(string),
  max_results: integer,
  page_token: string,
}

/** MLflow's `metrics/get-history`: a run that is not there has no points, and that is no error. */
export function metricHistory({ runs }: Pick<Store, 'runs'>) {
  return new Hono<ServerEnv>().get('/metrics/get-history', mlflowRequest(fields), async (c) => {
    const { run_id, metric_key, max_results = MAX_POINTS, page_token } = c.get('request')
    if (max_results < 1)
      throw new InvalidInput(
        `Invalid value ${max_results} for parameter 'max_results' supplied. It must be a positive integer.`,
      )
    const page = { limit: Math.min(max_results, MAX_POINTS), offset: offsetOf(page_token) }
    const { items, more } = await runs.metricHistory(run_id, metric_key, page)
    return c.json({ ...listed('metrics', items.map(wireMetric)), ...nextPage(more, page) })
  })
}
