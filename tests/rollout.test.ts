import { text } from 'node:stream/consumers'
import { createRegistry, type Registry, type RegistryOptions } from '@promptkeep/client'
import { type Admin, createAdmin } from '@promptkeep/client/admin'
import { createLogRecorder, createMemoryTransport } from '@promptkeep/client/testing'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { checkWeights, chooseVersion } from '../packages/client/src/rollout.ts'
import { ask } from './support/ask.ts'
import { databases, type TestDatabase } from './support/databases.ts'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'
import { PYTHON_MS, python } from './support/python-client.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'
import { spawnSource } from './support/spawn-source.ts'
import { bearer, startTokenRegistry } from './support/token-registry.ts'

const USERS = 200
const users = Array.from({ length: USERS }, (_, i) => `user-${i}`)
const MLFLOW = '/api/2.0/mlflow'
const KEY = 'promptkeep.rollout.production'

/** What every reader must come to, whatever it reads from. */
const shared = (weights: Readonly<Record<number, number>>, salt = 'memory@production') =>
  users.map((key) => chooseVersion(checkWeights(weights), key, salt))

function open(options: RegistryOptions): Registry {
  const registry = createRegistry({ env: {}, cacheTtlSeconds: 0, ...options })
  onTestFinished(() => registry.close())
  return registry
}

const versionsOf = async (registry: Registry, name = 'memory') => {
  const versions: number[] = []
  for (const key of users) versions.push((await registry.load(name, { key })).version)
  return versions
}

/** `memory` with three versions, production at the first, and nothing of an earlier test. */
async function stocked(url: string): Promise<{ registry: Registry; admin: Admin }> {
  await send(url, 'DELETE', 'registered-models/delete', { name: 'memory' })
  const registry = open({ trackingUri: url, strict: true })
  for (const template of ['one', 'two', 'three']) await registry.register({ name: 'memory', template })
  await registry.setAlias('memory', 'production', 1)
  return { registry, admin: createAdmin({ trackingUri: url, env: {} }) }
}

const send = (url: string, method: string, path: string, body: object) =>
  ask(url, {
    method,
    path: `${MLFLOW}/${path}`,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })

/** What holds on every server. */
function describeRollouts(urlOf: () => string, { timeout = 20_000 } = {}) {
  it('a key gets its version, no key the one that the alias points at; the alias is still called production', {
    timeout,
  }, async () => {
    const { registry, admin } = await stocked(urlOf())
    expect(await admin.rollout({ name: 'memory', weights: { 1: 60, 2: 40 }, reason: 'try' })).toMatchObject([
      { kind: 'rollout.changed', prompt: 'memory', alias: 'production', to: 1, reason: 'try' },
    ])
    const wanted = shared({ 1: 60, 2: 40 })
    expect(new Set(wanted)).toEqual(new Set([1, 2]))
    expect(await versionsOf(registry)).toEqual(wanted)
    const key = users[wanted.indexOf(2)] ?? ''
    expect(await registry.load('memory', { key })).toMatchObject({
      version: 2,
      alias: 'production',
      template: 'two',
      isFallback: false,
    })
    expect(await registry.load('memory')).toMatchObject({ version: 1, template: 'one' })
    expect(await registry.load('memory', { key, version: 3 })).toMatchObject({ version: 3 })
  })

  it('what was chosen is what a set and a run tell', { timeout }, async () => {
    const { registry, admin } = await stocked(urlOf())
    await admin.rollout({ name: 'memory', weights: { 1: 50, 2: 50 } })
    const wanted = shared({ 1: 50, 2: 50 })
    const key = users[wanted.indexOf(2)] ?? ''
    const set = await registry.loadSet(['memory'], { key })
    expect(set.versions.memory).toMatchObject({ version: 2, alias: 'production' })
    expect(set.get('memory').format()).toBe('two')
    await registry.run(
      async (run) => {
        expect((await run.load('memory')).version).toBe(2)
        expect(run.lineage().memory).toMatchObject({ version: 2, alias: 'production' })
      },
      { key },
    )
  })

  it('when the weights change, only who must gets another version', { timeout }, async () => {
    const { registry, admin } = await stocked(urlOf())
    await admin.rollout({ name: 'memory', weights: { 1: 80, 2: 20 } })
    const before = await versionsOf(registry)
    await admin.rollout({ name: 'memory', weights: { 1: 50, 2: 50 } })
    const after = await versionsOf(registry)
    expect(after).toEqual(shared({ 1: 50, 2: 50 }))
    // Who had the new version keeps it.
    expect(before.every((version, i) => version === 1 || after[i] === 2)).toBe(true)
    expect(after.filter((version, i) => version !== before[i]).length).toBeGreaterThan(0)
    expect(await admin.rollout({ name: 'memory', weights: { 1: 50, 2: 50 } })).toEqual([])
  })

  it('ends here or there, and leaves nothing that comes back', { timeout }, async () => {
    const { registry, admin } = await stocked(urlOf())
    const tagsOf = async (number: number) =>
      (await registry.versions('memory')).items.find(({ version }) => version === number)?.tags[KEY]
    await admin.rollout({ name: 'memory', weights: { 1: 50, 2: 50 } })
    await admin.rollout({ name: 'memory', weights: { 1: 100 } })
    expect(new Set(await versionsOf(registry))).toEqual(new Set([1]))
    await admin.rollout({ name: 'memory', weights: { 1: 50, 2: 50 } })
    expect(await admin.rollout({ name: 'memory', weights: { 2: 100 }, reason: 'it won' })).toMatchObject([
      { kind: 'alias.moved', from: 1, to: 2, reason: 'it won' },
      ...((await registry.capabilities()).history ? [{ kind: 'rollout.changed', to: 1 }] : []),
    ])
    expect(new Set(await versionsOf(registry))).toEqual(new Set([2]))
    expect([await tagsOf(1), await tagsOf(2)]).toEqual([undefined, undefined])
    await admin.rollout({ name: 'memory', weights: { 1: 30, 3: 70 }, expected: 2 })
    expect((await registry.load('memory')).version).toBe(3)
    expect(await versionsOf(registry)).toEqual(shared({ 1: 30, 3: 70 }))
  })

  it('undone, it is what it was', { timeout }, async () => {
    const { registry, admin } = await stocked(urlOf())
    await admin.rollout({ name: 'memory', weights: { 1: 50, 2: 50 } })
    await admin.rollout({ name: 'memory', weights: { 1: 20, 2: 80 }, reason: 'more' })
    expect((await admin.changes({ prompt: 'memory' })).items[0]).toMatchObject({
      kind: 'rollout.changed',
      to: 1,
      reason: 'more',
      evidence: JSON.stringify({ before: '{"2":50}', after: '{"2":80}' }),
    })
    await admin.rollback({ name: 'memory', reason: 'too much' })
    expect(await versionsOf(registry)).toEqual(shared({ 1: 50, 2: 50 }))
    await admin.rollback({ name: 'memory', reason: 'no, it was fine' })
    expect(await versionsOf(registry)).toEqual(shared({ 1: 20, 2: 80 }))
  })

  it('what cannot be served is refused before anything is written', { timeout }, async () => {
    const { registry, admin } = await stocked(urlOf())
    await send(urlOf(), 'DELETE', 'model-versions/delete', { name: 'memory', version: '3' })
    const prompt = { key: 'mlflow.prompt.is_prompt', value: 'true' }
    const empty = {
      name: 'memory',
      source: 'dummy-source',
      tags: [prompt, { key: 'mlflow.prompt.text', value: ' ' }],
    }
    expect((await send(urlOf(), 'POST', 'model-versions/create', empty)).status).toBe(200)
    for (const [weights, code, message] of [
      [{ 1: 90, 999: 10 }, 'VERSION_NOT_FOUND', /version 999 /i],
      [{ 1: 90, 3: 10 }, 'VERSION_NOT_FOUND', /version 3 /i],
      [{ 1: 90, 4: 10 }, 'INVALID_INPUT', /version 4.* has no text/i],
      [{ 4: 100 }, 'INVALID_INPUT', /version 4.* has no text/i],
      [{ 1: 90, 2: 5 }, 'INVALID_INPUT', /sum to 95/],
    ] as const)
      await expect(admin.rollout({ name: 'memory', weights })).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      })
    await expect(admin.rollout({ name: 'nobody', weights: { 1: 100 } })).rejects.toMatchObject({
      code: 'PROMPT_NOT_FOUND',
    })
    await expect(
      admin.rollout({ name: 'memory', weights: { 1: 90, 2: 10 }, expected: 2 }),
    ).rejects.toMatchObject({ code: 'CONFLICT', current: 1 })
    expect((await registry.load('memory')).tags[KEY]).toBeUndefined()
  })

  it('a version that is deleted under it: the one that the alias points at, with a warning; strict, its error', {
    timeout,
  }, async () => {
    const { registry, admin } = await stocked(urlOf())
    await admin.rollout({ name: 'memory', weights: { 1: 50, 2: 50 } })
    await send(urlOf(), 'DELETE', 'model-versions/delete', { name: 'memory', version: '2' })
    const key = users[shared({ 1: 50, 2: 50 }).indexOf(2)] ?? ''
    await expect(registry.load('memory', { key })).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' })
    const log = createLogRecorder()
    const lenient = open({ trackingUri: urlOf(), logger: log.logger })
    expect(await lenient.load('memory', { key })).toMatchObject({ version: 1, isFallback: false })
    expect(log.of('prompt.fell_back')).toMatchObject([
      { level: 'warn', fields: { prompt: 'memory', code: 'VERSION_NOT_FOUND' } },
    ])
  })

  it('weights that cannot be read do no harm, and name nobody', { timeout }, async () => {
    const { registry, admin } = await stocked(urlOf())
    for (const value of ['90', '{"2":"10"}', '{"2":101}', '{"1":10}', 'null', '{"2":10'])
      expect(
        (
          await send(urlOf(), 'POST', 'model-versions/set-tag', {
            name: 'memory',
            version: '1',
            key: KEY,
            value,
          })
        ).status,
      ).toBe(200)
    expect(new Set(await versionsOf(registry))).toEqual(new Set([1]))
    await admin.rollout({ name: 'memory', weights: { 1: 50, 2: 50 } })
    expect(await versionsOf(registry)).toEqual(shared({ 1: 50, 2: 50 }))
  })

  it.skipIf(mlflowSkip)(
    `the Python client reads the version that the alias points at ${mlflowSkip}`.trim(),
    { timeout: timeout + PYTHON_MS },
    async () => {
      const { admin } = await stocked(urlOf())
      await admin.rollout({ name: 'memory', weights: { 1: 20, 3: 80 } })
      const told = await python<unknown[]>(
        urlOf(),
        'p = mlflow.genai.load_prompt("prompts:/memory@production")\nanswer([p.version, p.template, p.tags])',
      )
      expect(told).toEqual([1, 'one', expect.objectContaining({ [KEY]: '{"3":80}' })])
    },
  )
}

describe.each(databases)('on our server, $database', ({ start, skip }) => {
  describe.skipIf(skip)(skip, () => {
    let database: TestDatabase
    let server: TestRegistry
    beforeAll(async () => {
      database = await start()
      server = await startRegistry(database.env)
    }, 60_000)
    afterAll(async () => {
      await server?.stop()
      await database?.stop()
    })
    describeRollouts(() => server.url)

    it('another process chooses alike', { timeout: 60_000 }, async () => {
      const { registry, admin } = await stocked(server.url)
      await admin.rollout({ name: 'memory', weights: { 1: 60, 2: 30, 3: 10 } })
      const child = spawnSource('rollout-reader.ts', [server.url, String(USERS)])
      const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
      expect({ versions: JSON.parse(out || 'null'), err }).toEqual({
        versions: await versionsOf(registry),
        err: '',
      })
    })

    it('a lost answer is asked for again, and made once', async () => {
      const { admin } = await stocked(server.url)
      let lost = 0
      const shaky = createAdmin({
        trackingUri: server.url,
        env: {},
        fetch: async (...request) => {
          const answer = await fetch(...request)
          if (String(request[0]).endsWith('/rollout') && lost++ === 0) throw new TypeError('connection lost')
          return answer
        },
      })
      await admin.rollout({ name: 'memory', weights: { 1: 90, 2: 10 } })
      const made = await shaky.rollout({ name: 'memory', weights: { 2: 60, 3: 40 }, expected: 1 })
      expect(made.map(({ kind, from, to }) => [kind, from, to])).toEqual([
        ['rollout.changed', undefined, 2],
        ['alias.moved', 1, 2],
        ['rollout.changed', undefined, 1],
      ])
      expect(lost).toBe(2)
      expect((await admin.changes({ prompt: 'memory', limit: 3 })).items).toEqual([...made].reverse())
    })
  })
})

describe.skipIf(mlflowSkip)(`on a stock MLflow ${mlflowSkip}`, () => {
  let mlflow: Awaited<ReturnType<typeof startMlflow>>
  beforeAll(async () => {
    mlflow = await startMlflow()
  }, 120_000)
  afterAll(() => mlflow?.stop())
  describeRollouts(() => mlflow.url, { timeout: 120_000 })

  it('there is nothing to force, and a rollout that moved the alias is undone as a move', {
    timeout: 60_000,
  }, async () => {
    const { registry, admin } = await stocked(mlflow.url)
    await expect(
      admin.rollout({ name: 'memory', weights: { 1: 90, 2: 10 }, force: true, reason: 'x' }),
    ).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    await admin.rollout({ name: 'memory', weights: { 2: 90, 3: 10 } })
    await admin.rollback({ name: 'memory', reason: 'no' })
    expect(await registry.load('memory')).toMatchObject({ version: 1 })
    await admin.rollout({ name: 'memory', weights: { 1: 90, 2: 10 } })
    await send(mlflow.url, 'DELETE', 'model-versions/delete-tag', { name: 'memory', version: '1', key: KEY })
    await expect(admin.rollback({ name: 'memory', reason: 'x' })).rejects.toMatchObject({ code: 'CONFLICT' })
  })
})

describe('in memory', () => {
  it('weights that come with a version are read as on a server', async () => {
    const transport = createMemoryTransport()
    await transport.register({ name: 'memory', template: 'one' })
    await transport.register({ name: 'memory', template: 'two', tags: { [KEY]: '{"1":40}' } })
    await transport.moveAlias({ name: 'memory', alias: 'production', to: 2 })
    const registry = open({ transport })
    expect(await versionsOf(registry)).toEqual(shared({ 1: 40, 2: 60 }))
    expect((await registry.load('memory')).version).toBe(2)
  })

  it('every prompt and alias has its own lots', async () => {
    const transport = createMemoryTransport()
    for (const name of ['memory', 'greeter']) {
      const tags = { [KEY]: '{"1":50}', 'promptkeep.rollout.staging': '{"1":50}' }
      await transport.register({ name, template: 'one' })
      await transport.register({ name, template: 'two', tags })
      for (const alias of ['production', 'staging']) await transport.moveAlias({ name, alias, to: 2 })
    }
    const registry = open({ transport, cacheTtlSeconds: 60 })
    const weights = { 1: 50, 2: 50 }
    expect(await versionsOf(registry)).toEqual(shared(weights))
    expect(await versionsOf(registry, 'greeter')).toEqual(shared(weights, 'greeter@production'))
    expect(await versionsOf(registry, 'memory@staging')).toEqual(shared(weights, 'memory@staging'))
    expect(shared(weights)).not.toEqual(shared(weights, 'memory@staging'))
  })
})

it('a policy that asks for evidence: a split takes force, its end at a judged version would take the run', async () => {
  const server = await startTokenRegistry()
  onTestFinished(() => server.stop())
  const as = (role: keyof typeof server.tokens) => ({
    trackingUri: server.url,
    env: { MLFLOW_TRACKING_TOKEN: server.tokens[role] },
  })
  const registry = open(as('writer'))
  for (const template of ['one', 'two']) await registry.register({ name: 'memory', template })
  await registry.setAlias('memory', 'production', 1)
  const admin = createAdmin(as('admin'))
  const promoter = createAdmin(as('promoter'))
  const split = { name: 'memory', weights: { 1: 90, 2: 10 }, reason: 'a first look' }
  expect(await promoter.rollout(split)).toMatchObject([{ kind: 'rollout.changed', actor: 'promoter' }])
  await promoter.rollout({ name: 'memory', weights: { 1: 100 } })
  await expect(createAdmin(as('reader')).rollout(split)).rejects.toMatchObject({ code: 'FORBIDDEN' })

  await admin.policies.set({ alias: 'production', evidenceRequired: true })
  const refused = { code: 'FORBIDDEN', message: expect.stringContaining('clause "evidence"') }
  await expect(promoter.rollout(split)).rejects.toMatchObject(refused)
  await expect(promoter.rollout({ name: 'memory', weights: { 2: 100 } })).rejects.toMatchObject(refused)
  await expect(promoter.rollout({ ...split, force: true })).rejects.toMatchObject({ code: 'FORBIDDEN' })
  await expect(admin.rollout({ ...split, reason: undefined, force: true })).rejects.toMatchObject({
    code: 'INVALID_INPUT',
  })
  expect((await registry.load('memory')).tags[KEY]).toBeUndefined()
  expect(await admin.rollout({ ...split, force: true })).toMatchObject([{ forced: true, actor: 'admin' }])
  expect((await registry.load('memory')).tags[KEY]).toBe('{"2":10}')
  // What was in force before comes back without force.
  expect(await promoter.rollback({ name: 'memory', reason: 'enough' })).toMatchObject([
    { kind: 'rollout.changed' },
    { kind: 'alias.moved' },
  ])
  expect((await registry.load('memory')).tags[KEY]).toBeUndefined()
  const headers = { 'content-type': 'application/json', ...bearer(server.tokens.writer) }
  const tag = { name: 'memory', version: '1', key: KEY, value: '{"2":99}' }
  const path = `${MLFLOW}/model-versions/set-tag`
  expect(
    (await ask(server.url, { method: 'POST', path, headers, body: JSON.stringify(tag) })).body,
  ).toMatchObject({ message: expect.stringContaining('clause "evidence"') })
})
