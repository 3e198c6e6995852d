import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, ask, type Question } from './support/ask.ts'
import { databases, type TestDatabase } from './support/databases.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'
import { fieldsOf, type Kind, ROUTES, type Route } from './support/registry-routes.ts'

const MLFLOW = '/api/2.0/mlflow'
const OWN = '/api/promptkeep/1.0'
const json = { 'content-type': 'application/json' }

const promptTags = (text: string, extra: object = {}) => [
  { key: 'mlflow.prompt.is_prompt', value: 'true' },
  { key: 'mlflow.prompt.text', value: text },
  ...Object.entries(extra).map(([key, value]) => ({ key, value })),
]

async function must(answer: Promise<Answer>): Promise<unknown> {
  const { status, body } = await answer
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`)
  return body
}

/** What no field of the kind may hold. */
const WRONG: Readonly<Record<Kind, readonly unknown[]>> = {
  text: [true, false, 0, 5, 1.5, [], ['x'], {}, { a: 1 }],
  number: [true, 'x', '', [], {}, '1.5x', 'Infinityx'],
  integer: [true, 1.5, 'x', [], {}, 2 ** 60, '9007199254740993'],
  boolean: [0, 1, 'true', [], {}],
  texts: ['x', 5, true, {}, [5], [null], [['x']], [{}]],
  pairs: [
    'x',
    5,
    true,
    {},
    [5],
    ['x'],
    [null],
    [[]],
    [{ key: 5, value: 'x' }],
    [{ key: 'k', value: 5 }],
    [{ key: 'k', value: {} }],
  ],
  enumeration: [true, [], {}, 1.5],
  object: ['x', 5, true, []],
  template: [5, true, {}, [5], ['x']],
}

/** A value of the kind that holds this text. */
const TEXTS: Readonly<Partial<Record<Kind, (text: string) => unknown>>> = {
  text: (text) => text,
  texts: (text) => [text],
  pairs: (text) => [{ key: 'k', value: text }],
  object: (text) => ({ k: text }),
  template: (text) => `x${text}`,
}

describe.each(databases)('bad input on $database', (on) => {
  if (on.skip) return it.skip(`skipped: ${on.skip}`)
  let database: TestDatabase
  let server: TestRegistry
  /** What the routes may find: a prompt with two versions and an alias, a plain model with one, an experiment, a run. */
  const known = { name: 'known', model: 'plain', alias: 'production', version: '1', run: '', experiment: '' }

  beforeAll(async () => {
    database = await on.start()
    server = await startRegistry(database.env)
    const content = {
      template: 'Hi {{ name }}',
      model_config: { temperature: 0 },
      response_format: { type: 'object' },
    }
    const seed = { name: known.name, alias: known.alias, ...content }
    await must(post(`${OWN}/seed`, seed))
    const version = { name: known.name, source: 'dummy-source', tags: promptTags('second') }
    await must(post(`${MLFLOW}/model-versions/create`, version))
    await must(post(`${MLFLOW}/registered-models/create`, { name: known.model }))
    await must(post(`${MLFLOW}/model-versions/create`, { name: known.model, source: 's3://bucket/x' }))
    const experiment = await must(post(`${MLFLOW}/experiments/create`, { name: 'evals' }))
    known.experiment = (experiment as { experiment_id: string }).experiment_id
    const run = await must(post(`${MLFLOW}/runs/create`, { experiment_id: known.experiment }))
    known.run = (run as { run: { info: { run_id: string } } }).run.info.run_id
  })
  afterAll(async () => {
    await server?.stop()
    await database?.stop()
  })

  const send = (question: Partial<Question> & { path: string }) =>
    ask(server.url, { method: 'GET', ...question })
  const post = (path: string, body: unknown, method = 'POST') =>
    send({ method, path, body: typeof body === 'string' ? body : JSON.stringify(body), headers: json })
  const get = (path: string, query: Record<string, string> = {}) =>
    send({ path, query: Object.entries(query) })

  /** Everything that the server keeps, as it tells it. */
  async function everything(): Promise<unknown> {
    const prompt = "tags.`mlflow.prompt.is_prompt` = 'true'"
    return Promise.all([
      must(get(`${MLFLOW}/registered-models/search`, { filter: prompt, max_results: '1000' })),
      must(get(`${MLFLOW}/registered-models/search`, { max_results: '1000' })),
      must(get(`${MLFLOW}/model-versions/search`, { filter: prompt })),
      must(get(`${MLFLOW}/model-versions/search`)),
      must(get(`${OWN}/changes`, { prompt: known.name, limit: '1000' })),
      must(get(`${MLFLOW}/experiments/search`, { max_results: '1000' })),
      must(post(`${MLFLOW}/runs/search`, { experiment_ids: [known.experiment], run_view_type: 'ALL' })),
    ])
  }

  /** @returns The message of a refusal that is well-formed and stored nothing. */
  async function refused(asked: () => Promise<Answer>, status: number, code: string): Promise<string> {
    const before = await everything()
    const answer = await asked()
    expect(answer).toMatchObject({ status, body: { error_code: code, message: expect.stringMatching(/./) } })
    expect(await everything()).toEqual(before)
    return (answer.body as { message: string }).message
  }
  const invalid = (asked: () => Promise<Answer>) => refused(asked, 400, 'INVALID_PARAMETER_VALUE')
  const absent = (asked: () => Promise<Answer>) => refused(asked, 404, 'RESOURCE_DOES_NOT_EXIST')

  describe('what people get wrong', () => {
    it('an unknown prompt is absent, on every route that names one', async () => {
      const name = 'unknown'
      expect(await absent(() => get(`${MLFLOW}/registered-models/get`, { name }))).toContain(name)
      expect(
        await absent(() => get(`${MLFLOW}/registered-models/alias`, { name, alias: 'production' })),
      ).toContain(name)
      expect(await absent(() => get(`${MLFLOW}/model-versions/get`, { name, version: '1' }))).toContain(name)
      expect(await absent(() => get(`${OWN}/changes`, { prompt: name }))).toContain(name)
      expect(
        await absent(() =>
          post(`${MLFLOW}/model-versions/create`, { name, source: 'dummy-source', tags: promptTags('x') }),
        ),
      ).toContain(name)
    })
    it('an alias is not pointed at a missing version', async () => {
      const move = { name: known.name, alias: 'production', version: '99' }
      expect(await absent(() => post(`${MLFLOW}/registered-models/alias`, move))).toContain('99')
      expect(await absent(() => post(`${OWN}/alias`, { ...move, version: 99 }))).toContain('99')
    })
    it.each(['latest', 'LATEST', 'v1', 'V23'])('the alias %s is reserved', async (alias) => {
      const move = { name: known.name, alias, version: '1' }
      expect(await invalid(() => post(`${MLFLOW}/registered-models/alias`, move))).toContain('reserved')
      expect(await invalid(() => post(`${OWN}/alias`, { ...move, version: 1 }))).toContain('reserved')
      expect(await invalid(() => post(`${OWN}/seed`, { name: 'new', alias, template: 'x' }))).toContain(
        'reserved',
      )
    })
    it.each(['a/b', 'a:b', '.', '..', '   '])('%j is no name anywhere', async (name) => {
      expect(await invalid(() => post(`${MLFLOW}/registered-models/create`, { name }))).toContain('name')
      expect(
        await invalid(() => post(`${OWN}/seed`, { name, alias: 'production', template: 'x' })),
      ).toContain('name')
    })
    it.each(['with space', 'prömpt', 'a@b', 'a\nb'])(
      '%j is no name to write on our own routes',
      async (name) => {
        const said = await invalid(() => post(`${OWN}/seed`, { name, alias: 'production', template: 'x' }))
        expect(said).toContain(`name must be letters, digits, "_", "." and "-"`)
        expect(said).toContain(JSON.stringify(name))
        expect(
          await invalid(() => post(`${OWN}/alias`, { name, alias: 'production', version: 1 })),
        ).toContain('name')
        // MLflow's routes take it, and so it may be asked for.
        expect(await absent(() => get(`${OWN}/changes`, { prompt: name }))).toContain(name)
      },
    )
    it('a text of 100,001 characters is too long; 100,000 of two units each are not (see http-safety.test.ts)', async () => {
      const version = (text: string) => ({ name: known.name, source: 'dummy-source', tags: promptTags(text) })
      const long = '😀'.repeat(100_001)
      expect(await invalid(() => post(`${MLFLOW}/model-versions/create`, version(long)))).toBe(
        'Prompt text exceeds max length of 100000 characters.',
      )
      const seed = { name: 'new', alias: 'production', template: long }
      expect(await invalid(() => post(`${OWN}/seed`, seed))).toContain('100001 characters; at most 100000')
    })
    it('a description of 6,001 characters is too long wherever it is written; 6,000 are not', async () => {
      await must(
        post(`${MLFLOW}/registered-models/create`, { name: 'wordy', description: '😀'.repeat(6000) }),
      )
      const tags = promptTags('x')
      const version = { name: 'wordy', source: 'dummy-source', tags, description: 'x'.repeat(6000) }
      await must(post(`${MLFLOW}/model-versions/create`, version))
      const long = 'x'.repeat(6001)
      for (const [method, path, body] of [
        ['POST', 'registered-models/create', { name: 'wordier' }],
        ['PATCH', 'registered-models/update', { name: 'wordy' }],
        ['POST', 'model-versions/create', version],
        ['PATCH', 'model-versions/update', { name: 'wordy', version: '1' }],
      ] as const)
        expect(
          await ask(server.url, {
            method,
            path: `${MLFLOW}/${path}`,
            body: JSON.stringify({ ...body, description: long }),
            headers: json,
          }),
          path,
        ).toMatchObject({
          status: 400,
          body: {
            error_code: 'INVALID_PARAMETER_VALUE',
            message: "'description' has 6001 characters; at most 6000 are allowed",
          },
        })
    })

    it('a whole token is refused wherever it would be kept, without being repeated', async () => {
      const token = `pk_abcdefghijkl_${'x'.repeat(43)}`
      await must(post(`${MLFLOW}/registered-models/create`, { name: 'leaky' }))
      await must(
        post(`${MLFLOW}/model-versions/create`, {
          name: 'leaky',
          source: 'dummy-source',
          tags: promptTags('pk_…'),
        }),
      )
      const note = `see ${token}!`
      const seed = { name: 'leakier', alias: 'production', template: 'x' }
      const move = { name: 'leaky', alias: 'production', version: 1 }
      const version = { name: 'leaky', version: '1' }
      const header = { 'promptkeep-reason': encodeURIComponent(note) }
      const asked: readonly (readonly [method: string, path: string, body: object, headers?: object])[] = [
        ['POST', `${MLFLOW}/registered-models/create`, { name: 'leakier', description: note }],
        ['PATCH', `${MLFLOW}/registered-models/update`, { name: 'leaky', description: note }],
        ['POST', `${MLFLOW}/registered-models/set-tag`, { name: 'leaky', key: 'k', value: note }],
        [
          'POST',
          `${MLFLOW}/model-versions/create`,
          { name: 'leaky', source: 'dummy-source', tags: promptTags('x'), description: note },
        ],
        [
          'POST',
          `${MLFLOW}/model-versions/create`,
          { name: 'leaky', source: 'dummy-source', tags: promptTags(note) },
        ],
        ['PATCH', `${MLFLOW}/model-versions/update`, { ...version, description: note }],
        ['POST', `${MLFLOW}/model-versions/set-tag`, { ...version, key: 'k', value: note }],
        ['DELETE', `${MLFLOW}/model-versions/delete`, version, header],
        ['POST', `${OWN}/alias`, { ...move, reason: note }],
        ['POST', `${OWN}/alias`, { ...move, evidence: note }],
        ['POST', `${OWN}/rollback`, { name: 'leaky', reason: note }],
        ['POST', `${OWN}/rollout`, { name: 'leaky', alias: 'a', weights: { 1: 100 }, reason: note }],
        ['POST', `${OWN}/seed`, { ...seed, commit_message: note }],
        ['POST', `${OWN}/seed`, { ...seed, description: note }],
        ['POST', `${OWN}/seed`, { ...seed, template: note }],
        ['POST', `${OWN}/seed`, { ...seed, tags: { k: note } }],
      ]
      for (const [method, path, body, headers] of asked) {
        const question = { method, path, body: JSON.stringify(body), headers: { ...json, ...headers } }
        const answer = await ask(server.url, question)
        const at = `${path} ${Object.keys(body)}`
        expect(answer, at).toMatchObject({ status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } })
        expect(JSON.stringify(answer.body), at).toMatch(/holds a token .* revoke it/)
        expect(JSON.stringify(answer.body), at).not.toContain(token)
      }
    })

    it("broken JSON is an empty body on MLflow's routes, and named on ours", async () => {
      expect(await invalid(() => post(`${MLFLOW}/registered-models/create`, '{"name": "x"'))).toContain(
        "Missing value for required parameter 'name'",
      )
      expect(await invalid(() => post(`${OWN}/seed`, '{"name": "x"'))).toContain('must be JSON')
      expect(await invalid(() => send({ method: 'POST', path: `${OWN}/seed`, body: '{}' }))).toContain(
        'Content-Type',
      )
    })
    it.each<{ wrong: string; template: unknown; says: string }>([
      { wrong: 'no role', template: [{ content: 'x' }], says: 'template[0].role' },
      { wrong: 'a role that is no text', template: [{ role: 5, content: 'x' }], says: 'template[0].role' },
      {
        wrong: 'content that is a number',
        template: [{ role: 'user', content: 5 }],
        says: 'template[0].content',
      },
      {
        wrong: 'an unknown part',
        template: [{ role: 'user', content: [{ type: 'x' }] }],
        says: 'template[0].content[0].type',
      },
      {
        wrong: 'a tool call without a function',
        template: [{ role: 'user', tool_calls: [{ id: 'a' }] }],
        says: 'tool_calls[0]',
      },
      { wrong: 'a message that is text', template: ['x'], says: 'template' },
      { wrong: 'no message at all', template: [], says: 'empty' },
      { wrong: 'only an empty message', template: [{ role: 'system', content: ' ' }], says: 'empty' },
      { wrong: 'an empty text', template: '', says: 'empty' },
      { wrong: 'a blank text', template: ' \n\t', says: 'empty' },
    ])('a template with $wrong is not seeded', async ({ template, says }) => {
      expect(
        await invalid(() => post(`${OWN}/seed`, { name: 'new', alias: 'production', template })),
      ).toContain(says)
    })
    it("an empty template is taken on MLflow's routes, as MLflow does, and so are messages that nobody can read", async () => {
      const chat = { _mlflow_prompt_type: 'chat' }
      for (const tags of [promptTags(''), promptTags('[{"content": "x"}]', chat)])
        await must(
          post(`${MLFLOW}/model-versions/create`, { name: known.name, source: 'dummy-source', tags }),
        )
    })
    it.each<[string, unknown, string]>([
      ['temperature', { temperature: -1 }, 'model_config.temperature'],
      ['max_tokens', { max_tokens: 1.5 }, 'model_config.max_tokens'],
      ['top_p', { top_p: 2 }, 'model_config.top_p'],
    ])('a wrong %s is not seeded', async (_, model_config, says) => {
      const seed = { name: 'new', alias: 'production', template: 'x', model_config }
      expect(await invalid(() => post(`${OWN}/seed`, seed))).toContain(says)
    })
    it('a digest that is not that of the content is refused', async () => {
      const tags = promptTags('x', { 'promptkeep.digest': '0'.repeat(64) })
      const version = { name: known.name, source: 'dummy-source', tags }
      expect(await invalid(() => post(`${MLFLOW}/model-versions/create`, version))).toContain(
        'promptkeep.digest',
      )
    })
    it('content tags and the kind of a version cannot be edited', async () => {
      const at = { name: known.name, version: known.version }
      for (const key of [
        'mlflow.prompt.text',
        'mlflow.prompt.is_prompt',
        '_mlflow_prompt_type',
        '_mlflow_prompt_response_format',
        '_mlflow_prompt_model_config',
      ]) {
        expect(
          await invalid(() => post(`${MLFLOW}/model-versions/set-tag`, { ...at, key, value: '{}' })),
        ).toMatch(/never change/)
        expect(
          await invalid(() => post(`${MLFLOW}/model-versions/delete-tag`, { ...at, key }, 'DELETE')),
        ).toMatch(/never change/)
      }
      const kind = { name: known.name, key: 'mlflow.prompt.is_prompt' }
      expect(
        await invalid(() => post(`${MLFLOW}/registered-models/set-tag`, { ...kind, value: 'false' })),
      ).toContain('mlflow.prompt.is_prompt')
      expect(await invalid(() => post(`${MLFLOW}/registered-models/delete-tag`, kind, 'DELETE'))).toContain(
        'mlflow.prompt.is_prompt',
      )
    })
    it('a move that expects another version is told the current one', async () => {
      const move = { name: known.name, alias: known.alias, version: 2, expected: null }
      await refused(() => post(`${OWN}/alias`, move), 409, 'RESOURCE_CONFLICT')
      expect(await post(`${OWN}/alias`, move)).toMatchObject({ body: { current: 1 } })
    })
  })

  /** A request that would be taken, with the values of what is there. */
  function validRequest({ fields }: Route): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(fields).flatMap(([name, { valid }]) =>
        valid === undefined ? [] : [[name, valid(known)]],
      ),
    )
  }

  describe.each(ROUTES)('$method $path', (route) => {
    const asked = (body: unknown) =>
      send({ method: route.method, path: route.path, body: JSON.stringify(body), headers: json })
    const cases = fieldsOf(route).flatMap(([field, { kind, required, nullable }]) => {
      const wrong = WRONG[kind].map((value) => ({ field, value }))
      const missing = required
        ? [{ field, value: undefined }, ...(nullable ? [] : [{ field, value: null }])]
        : []
      return [...wrong, ...missing]
    })

    it('names each field that holds a value of a wrong type, or none, and stores nothing', async () => {
      const before = await everything()
      for (const { field, value } of cases) {
        const answer = await asked({ ...validRequest(route), [field]: value })
        const told = { sent: { [field]: value }, status: answer.status, body: answer.body }
        expect(told).toMatchObject({
          status: 400,
          body: {
            error_code: expect.stringMatching(/^(INVALID_PARAMETER_VALUE|BAD_REQUEST)$/),
            message: expect.stringContaining(field),
          },
        })
      }
      expect(await everything()).toEqual(before)
    })
    it('refuses U+0000 and lone surrogates in every text', async () => {
      const before = await everything()
      for (const [field, { kind }] of fieldsOf(route)) {
        for (const text of ['a\u0000b', 'a\ud800', '\udc00']) {
          const value = TEXTS[kind]?.(text)
          if (value === undefined) continue
          const answer = await asked({ ...validRequest(route), [field]: value })
          expect({ field, text, ...answer }).toMatchObject({
            status: 400,
            body: { error_code: 'INVALID_PARAMETER_VALUE' },
          })
        }
      }
      expect(await everything()).toEqual(before)
    })
    it('refuses what is not UTF-8, too deep, or no object', async () => {
      const before = await everything()
      const bytes = (body: Buffer | string) =>
        send({ method: route.method, path: route.path, body, headers: json })
      const [first = 'name'] = Object.keys(route.fields)
      const notUtf8 = Buffer.concat([
        Buffer.from(`{"${first}":"`),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('"}'),
      ])
      const deep = `{"${first}":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
      for (const body of [notUtf8, deep, '[]', '5', 'true', '"[]"'])
        expect({ sent: body.slice(0, 20), ...(await bytes(body)) }).toMatchObject({ status: 400 })
      expect(await everything()).toEqual(before)
    })
    it('never answers 5xx, whatever JSON comes', async () => {
      const value = fc.oneof(
        fc.jsonValue({ maxDepth: 3 }),
        fc.string({ unit: 'binary' }),
        fc.integer(),
        fc.double(),
      )
      const body = fc.dictionary(fc.constantFrom(...Object.keys(route.fields), 'other', '__proto__'), value)
      await fc.assert(
        fc.asyncProperty(body, async (fields) => {
          // Names that are not there, so that nothing of the others' is changed.
          const { status } = await asked({
            ...fields,
            ...(typeof fields.name === 'string' ? { name: 'nobody/' } : {}),
          })
          expect(status).toBeLessThan(500)
        }),
        { numRuns: 25 },
      )
    })
  })

  it('the server is alive after all of it', async () => {
    expect(await send({ path: '/ready' })).toMatchObject({ status: 200 })
    expect(
      await get(`${MLFLOW}/registered-models/alias`, { name: known.name, alias: known.alias }),
    ).toMatchObject({ status: 200, body: { model_version: { version: '1' } } })
  })
})
