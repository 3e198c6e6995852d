import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PERMISSIONS } from '../packages/server/src/auth/permissions.ts'
import { ask } from './support/ask.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'
import { runSchemathesis, type SchemathesisReport, schemathesisSkip } from './support/schemathesis.ts'
import { bearer, startTokenRegistry, type TokenRegistry } from './support/token-registry.ts'

const OWN = '/api/promptkeep/1.0'
/**
 * Not `ignored_auth`, which sends wrong tokens until the address is locked out: `roles.test.ts` asks every route
 * without one.
 */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'unsupported_method',
  'allow_header_conformance',
]
const OURS = [...PERMISSIONS.keys()].filter((operation) => operation.includes(OWN)).sort()
const SLOW = 300_000

/** Prompts, moves and a policy under the names that the document's examples have. */
async function fill(server: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  async function post(path: string, body: object): Promise<void> {
    const sent = { 'content-type': 'application/json', ...headers }
    const answer = await ask(server, { method: 'POST', path, body: JSON.stringify(body), headers: sent })
    expect(answer).toMatchObject({ status: 200 })
  }
  for (const name of ['greeting', 'farewell']) {
    await post(`${OWN}/seed`, { name, alias: 'production', template: 'Hello {{ name }}' })
    for (const text of ['Hi {{ name }}', 'Good day {{ name }}'])
      await post('/api/2.0/mlflow/model-versions/create', {
        name,
        source: 'prompt-template',
        tags: [
          { key: 'mlflow.prompt.is_prompt', value: 'true' },
          { key: 'mlflow.prompt.text', value: text },
        ],
      })
    await post(`${OWN}/alias`, { name, alias: 'production', version: 2 })
  }
  await post(`${OWN}/policies`, { alias: 'staging', reason_required: true })
}

/** With plain JSON asked for: the stream of changes is answered for as long as it is listened to. */
const run = (server: string, more: Partial<Parameters<typeof runSchemathesis>[0]>) =>
  runSchemathesis({
    document: `${server}${OWN}/openapi.json`,
    include: `^${OWN.replace('.', '\\.')}/`,
    checks: CHECKS,
    maxExamples: 40,
    seed: 20_261_122,
    ...more,
    headers: { Accept: 'application/json', ...more.headers },
  })

function isThorough({ complete, operations, test_cases }: SchemathesisReport): void {
  expect({ complete, tested: operations.tested }).toEqual({ complete: true, tested: operations.selected })
  expect(test_cases.generated).toBeGreaterThan(300)
  expect(test_cases.unique_failures).toBe(0)
}

/** Operations that took at least one request: where there is none, only refusals were looked at. */
const taken = ({ valid_rates }: SchemathesisReport): string[] =>
  Object.entries(valid_rates)
    .filter(([, phases]) => Object.values(phases).some(({ accepted }) => accepted > 0))
    .map(([operation]) => operation)
    .sort()

describe.skipIf(schemathesisSkip)(`generated requests ${schemathesisSkip}`, () => {
  describe('without tokens', () => {
    let server: TestRegistry
    beforeAll(async () => {
      server = await startRegistry()
      await fill(server.url)
    })
    afterAll(() => server?.stop())

    it(
      'get no 5xx and no answer that the document does not have',
      async () => {
        // With a token everybody else would be shut out: those routes have their turn below.
        const report = await run(server.url, { exclude: `^${OWN}/tokens` })
        isThorough(report)
        expect(taken(report)).toEqual(OURS.filter((operation) => !operation.includes('/tokens')))
      },
      SLOW,
    )
  })

  describe('with the token of an admin', () => {
    let server: TokenRegistry
    beforeAll(async () => {
      server = await startTokenRegistry({ RATE_LIMIT_PER_TOKEN: '0', RATE_LIMIT_PER_ADDRESS: '0' })
      await fill(server.url, bearer(server.tokens.admin))
    })
    afterAll(() => server?.stop())

    it(
      'get no 5xx and no answer that the document does not have',
      async () => {
        const { authorization } = bearer(server.tokens.admin)
        const report = await run(server.url, { headers: { Authorization: authorization } })
        isThorough(report)
        expect(taken(report)).toEqual(OURS)
      },
      SLOW,
    )

    it(
      'are refused without it as the document says',
      async () => {
        const report = await run(server.url, { maxExamples: 5 })
        isThorough(report)
        expect(taken(report)).toEqual([`GET ${OWN}/docs`, `GET ${OWN}/openapi.json`])
      },
      SLOW,
    )
  })
})
