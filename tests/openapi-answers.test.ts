import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PERMISSIONS } from '../packages/server/src/auth/permissions.ts'
import type { ApiDocument } from '../packages/server/src/openapi/document.ts'
import { readGoldenSets } from './mlflow-replay/golden.ts'
import { replay } from './mlflow-replay/replay.ts'
import { type Answer, ask } from './support/ask.ts'
import { type AnswerCheck, createAnswerCheck } from './support/openapi-answers.ts'
import { startRegistry } from './support/registry.ts'
import { ROUTES } from './support/registry-routes.ts'
import { bearer, startTokenRegistry, type TokenRegistry } from './support/token-registry.ts'

const OWN = '/api/promptkeep/1.0'
const MLFLOW = '/api/2.0/mlflow'
const json = { 'content-type': 'application/json' }

async function checkFor(server: string): Promise<AnswerCheck> {
  const { body } = await ask(server, { method: 'GET', path: `${OWN}/openapi.json` })
  return createAnswerCheck(body as ApiDocument)
}
const answeredWell = ({ seen }: AnswerCheck, base: string): string[] =>
  [...seen]
    .filter(([route, statuses]) => route.includes(base) && statuses.has(200))
    .map(([route]) => route)
    .sort()

/** Every route below one of these. */
const routesBelow = (...bases: readonly string[]): string[] =>
  [...PERMISSIONS.keys()].filter((route) => bases.some((base) => route.includes(` ${base}`))).sort()

describe('what MLflow’s clients were recorded to ask is answered as the OpenAPI document says', () => {
  it('with every field and every status in it', async () => {
    const server = await startRegistry({ ALLOW_MODEL_CONFIG_EDIT: 'true' })
    try {
      const check = await checkFor(server.url)
      const wrong: string[] = []
      const { sent } = await replay(await readGoldenSets(), server.url, ({ request }, ours) => {
        wrong.push(...check.complaints(request.method, request.path, ours))
      })
      expect(wrong).toEqual([])
      expect(sent).toBeGreaterThan(700)
      expect(answeredWell(check, MLFLOW)).toEqual(
        routesBelow(`${MLFLOW}/registered-models/`, `${MLFLOW}/model-versions/`),
      )
    } finally {
      await server.stop()
    }
  }, 60_000)
})

describe('our own routes answer as the OpenAPI document says', () => {
  let server: TokenRegistry
  let check: AnswerCheck
  beforeAll(async () => {
    server = await startTokenRegistry({ RATE_LIMIT_PER_TOKEN: '0', RATE_LIMIT_PER_ADDRESS: '0' })
    check = await checkFor(server.url)
  })
  afterAll(() => server?.stop())

  /** Asks, and says whether the document has the answer. */
  async function asked(
    route: string,
    body?: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const [method = '', path = ''] = route.split(' ')
    const answer = await ask(server.url, {
      method,
      path,
      body: body && JSON.stringify(body),
      headers: { ...json, ...bearer(server.tokens.admin), ...headers },
    })
    expect(check.complaints(method, path.split('?')[0] ?? '', answer)).toEqual([])
    return answer
  }
  const ok = async (route: string, body?: object, headers?: Readonly<Record<string, string>>) => {
    const answer = await asked(route, body, headers)
    expect({ route, answer }).toMatchObject({ answer: { status: 200 } })
    return answer
  }

  it('to what they take', async () => {
    const name = 'greeting'
    const seed = { name, alias: 'production', template: 'Hi {{ name }}', model_config: { temperature: 0 } }
    await ok(`POST ${OWN}/seed`, seed)
    await ok(`POST ${OWN}/seed`, seed)
    const tags = [
      { key: 'mlflow.prompt.is_prompt', value: 'true' },
      { key: 'mlflow.prompt.text', value: 'Hello {{ name }}' },
    ]
    await ok(`POST ${MLFLOW}/model-versions/create`, { name, source: 'prompt-template', tags })
    await ok(`POST ${OWN}/alias`, { name, alias: 'production', version: 2, expected: 1, reason: 'shorter' })
    await ok(`POST ${OWN}/rollback`, { name, reason: 'too short' })
    await ok(`POST ${OWN}/rollout`, { name, alias: 'production', weights: { 1: 90, 2: 10 }, reason: 'try' })
    const { headers } = await ok(`GET ${OWN}/resolve?names=${name},nobody&alias=experiment,production`)
    const unchanged = { 'if-none-match': headers.etag ?? '' }
    expect(
      await asked(
        `GET ${OWN}/resolve?names=${name},nobody&alias=experiment,production`,
        undefined,
        unchanged,
      ),
    ).toMatchObject({ status: 304 })
    await ok(`GET ${OWN}/resolve?names=${name}&at=${Date.now()}`)
    await ok(`GET ${OWN}/changes?prompt=${name}&limit=1`)
    await ok(`GET ${OWN}/changes?kind=alias.moved&since=2026-01-01`)
    const policy = { alias: 'staging', evidence_required: true, max_age_seconds: 60 }
    await ok(`POST ${OWN}/fleet`, { app: 'web', instance: 'one', prompts: [] })
    await ok(`GET ${OWN}/fleet`)
    await ok(`POST ${OWN}/policies`, policy)
    await ok(`GET ${OWN}/policies`)
    await asked(`POST ${OWN}/alias`, { name, alias: 'staging', version: 1 })
    await ok(`POST ${OWN}/alias`, { name, alias: 'staging', version: 1, force: true, reason: 'now' })
    await ok(`POST ${OWN}/policies/remove`, { alias: 'staging' })
    await ok(`POST ${OWN}/tokens`, { name: 'ci', roles: ['promoter'], expires_in_seconds: 60 })
    await ok(`POST ${OWN}/tokens/revoke`, { token: 'ci' })
    await ok(`GET ${OWN}/tokens`)
    for (const path of ['capabilities', 'whoami', 'openapi.json', 'docs']) await ok(`GET ${OWN}/${path}`)
    for (const path of ['/health', '/version', '/ready', '/metrics', '/api/3.0/mlflow/server-info'])
      await ok(`GET ${path}`)
    expect(answeredWell(check, OWN)).toEqual(routesBelow(OWN))
  })

  it('and so do experiments and runs', async () => {
    const made = await ok(`POST ${MLFLOW}/experiments/create`, {
      name: 'evals',
      tags: [{ key: 'a', value: 'b' }],
    })
    const { experiment_id } = made.body as { experiment_id: string }
    await ok(`GET ${MLFLOW}/experiments/get?experiment_id=${experiment_id}`)
    await ok(`GET ${MLFLOW}/experiments/get-by-name?experiment_name=evals`)
    await ok(`GET ${MLFLOW}/experiments/search?max_results=1`)
    await ok(`POST ${MLFLOW}/experiments/search`, { max_results: 1 })
    const started = await ok(`POST ${MLFLOW}/runs/create`, { experiment_id, start_time: 1 })
    const { run_id } = (started.body as { run: { info: { run_id: string } } }).run.info
    await ok(`POST ${MLFLOW}/runs/log-metric`, { run_id, key: 'm', value: 0.5, timestamp: 1, step: 2 })
    await ok(`POST ${MLFLOW}/runs/log-parameter`, { run_id, key: 'p', value: '1' })
    await ok(`POST ${MLFLOW}/runs/set-tag`, { run_id, key: 't', value: '1' })
    const metrics = ['NaN', 'Infinity', 1e300].map((value, step) => ({ key: 'n', value, timestamp: 1, step }))
    await ok(`POST ${MLFLOW}/runs/log-batch`, { run_id, metrics, params: [{ key: 'q', value: '' }] })
    await ok(`GET ${MLFLOW}/runs/get?run_id=${run_id}`)
    await ok(`POST ${MLFLOW}/runs/update`, { run_id, status: 'FINISHED', end_time: 2 })
    await ok(`GET ${MLFLOW}/runs/get?run_id=${run_id}`)
    await ok(`POST ${MLFLOW}/runs/search`, { experiment_ids: [experiment_id], max_results: 1 })
    await ok(`GET ${MLFLOW}/metrics/get-history?run_id=${run_id}&metric_key=n&max_results=2`)
    await ok(`GET ${MLFLOW}/metrics/get-history?run_id=${run_id}&metric_key=none`)
    const bases = [`${MLFLOW}/experiments/`, `${MLFLOW}/runs/`, `${MLFLOW}/metrics/`]
    expect(bases.flatMap((base) => answeredWell(check, base))).toEqual(
      bases.flatMap((base) => routesBelow(base)),
    )
  })

  it('to what they refuse, and to who may not; MLflow’s, too', async () => {
    for (const { method, path, fields } of ROUTES) {
      const isQuery = method === 'GET'
      const route = `${method} ${path}`
      const required = Object.entries(fields).some(([, field]) => field.required)
      const empty = await asked(route, isQuery ? undefined : {})
      if (required) expect({ route, status: empty.status }).toEqual({ route, status: 400 })
      const long = {
        name: 'n'.repeat(5000),
        alias: 'a b',
        version: '0',
        run_id: 'x',
        key: '../x',
        token: 'x',
      }
      const query = new URLSearchParams(long).toString()
      await asked(isQuery ? `${route}?${query}` : route, isQuery ? undefined : long)
      const absent = {
        name: 'nobody',
        alias: 'production',
        version: 1,
        run_id: '0'.repeat(32),
        key: 'k',
        token: 'x',
      }
      const texts = Object.fromEntries(Object.entries(absent).map(([key, value]) => [key, String(value)]))
      await asked(
        isQuery ? `${route}?${new URLSearchParams(texts)}` : route,
        isQuery ? undefined : { ...absent, reason: 'x' },
      )
      expect(await asked(route, isQuery ? undefined : {}, { authorization: '' })).toMatchObject({
        status: 401,
      })
      await asked(route, isQuery ? undefined : {}, bearer(server.tokens.reader))
      if (!isQuery) {
        const large = await asked(route, { name: 'n'.repeat(5 * 2 ** 20) })
        expect({ route, status: large.status }).toEqual({ route, status: 413 })
      }
    }
    const move = { name: 'greeting', alias: 'production', version: 2 }
    expect(await asked(`POST ${OWN}/alias`, { ...move, expected: 9 })).toMatchObject({ status: 409 })
    const moved = await asked(
      `POST ${MLFLOW}/registered-models/alias`,
      { ...move, version: '2' },
      { 'if-match': '"9"' },
    )
    expect(moved).toMatchObject({ status: 409 })
  })
})
