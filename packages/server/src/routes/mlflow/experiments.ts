import { Hono } from 'hono'
import type { ServerEnv } from '../../env.ts'
import type { Store } from '../../store/store.ts'
import { experimentIdOf } from './experiment-id.ts'
import { integer, keyValue, list, oneOf, orDefault, type RequestOf, required, string } from './fields.ts'
import { mlflowRequest } from './mlflow-request.ts'
import { nextPage } from './page-token.ts'
import { artifactLocation, experimentName, experimentTag } from './run-rules.ts'
import { wireExperiment } from './run-wire.ts'
import { readTrackingSearch } from './tracking-search.ts'
import { listed, tagsOf } from './wire.ts'

const searchFields = {
  max_results: orDefault(integer, 0),
  page_token: string,
  filter: string,
  order_by: list(orDefault(string, '')),
  view_type: orDefault(oneOf('ACTIVE_ONLY', 'DELETED_ONLY', 'ALL'), 'ACTIVE_ONLY'),
}

/** MLflow's `experiments/*`, as far as an eval run needs them. */
export function experiments({ experiments }: Pick<Store, 'experiments'>) {
  async function search(request: RequestOf<typeof searchFields>) {
    const search = { ...readTrackingSearch('experiments', request), view: request.view_type }
    const { items, more } = await experiments.search(search)
    return { ...listed('experiments', items.map(wireExperiment)), ...nextPage(more, search) }
  }

  return new Hono<ServerEnv>()
    .post(
      '/experiments/create',
      mlflowRequest({ name: required(string), artifact_location: string, tags: list(keyValue) }),
      async (c) => {
        const { name, artifact_location: location, tags } = c.get('request')
        const made = await experiments.create({
          name: experimentName(name),
          artifactLocation: location ? artifactLocation(location) : undefined,
          tags: tagsOf(tags.map(experimentTag)),
        })
        return c.json({ experiment_id: made.id })
      },
    )
    .get('/experiments/get', mlflowRequest({ experiment_id: required(string) }), async (c) => {
      const id = experimentIdOf(c.get('request').experiment_id)
      return c.json({ experiment: wireExperiment(await experiments.get(id)) })
    })
    .get('/experiments/get-by-name', mlflowRequest({ experiment_name: required(string) }), async (c) => {
      const found = await experiments.getByName(c.get('request').experiment_name)
      return c.json({ experiment: wireExperiment(found) })
    })
    .get('/experiments/search', mlflowRequest(searchFields), async (c) =>
      c.json(await search(c.get('request'))),
    )
    .post('/experiments/search', mlflowRequest(searchFields), async (c) =>
      c.json(await search(c.get('request'))),
    )
}
