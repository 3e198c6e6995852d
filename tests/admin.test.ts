import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRegistry, type Registry } from '@promptkeep/client'
import { type Admin, createAdmin } from '@promptkeep/client/admin'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'
import { startRegistry } from './support/registry.ts'

interface Asked {
  readonly url: string
  readonly admin: Admin
  readonly registry: Registry
}

/** A registry and its admin, with `memory` at v1, then v2, then v3, and `greet` at v1. */
async function stocked(url: string): Promise<Asked> {
  const registry = createRegistry({ trackingUri: url, env: {}, strict: true, cacheTtlSeconds: 0 })
  await registry.register({ name: 'greet', template: 'hi' })
  await registry.setAlias('greet', 'production', 1)
  for (const [i, template] of ['one', 'two', 'three'].entries()) {
    await registry.register({ name: 'memory', template })
    await registry.setAlias('memory', 'production', i + 1, { reason: `to ${template}` })
  }
  return { url, admin: createAdmin({ trackingUri: url, env: {} }), registry }
}

async function ours(): Promise<Asked> {
  const server = await startRegistry()
  const asked = await stocked(server.url)
  onTestFinished(async () => {
    await asked.registry.close()
    await server.stop()
  })
  return asked
}

describe('an admin of our server', () => {
  it('reads the whole log, page by page, and what it is asked for of it', async () => {
    const { admin } = await ours()
    const seqs: (number | undefined)[] = []
    let pageToken: string | undefined
    do {
      const page = await admin.changes({ limit: 3, pageToken })
      seqs.push(...page.items.map(({ seq }) => seq))
      pageToken = page.nextPageToken
    } while (pageToken !== undefined)
    expect(seqs).toEqual([8, 7, 6, 5, 4, 3, 2, 1])
    const moves = await admin.changes({
      prompt: 'memory',
      kinds: ['alias.moved'],
      alias: 'production',
      since: 1,
    })
    expect(moves.items.map(({ to, reason }) => [to, reason])).toEqual([
      [3, 'to three'],
      [2, 'to two'],
      [1, 'to one'],
    ])
    await expect(admin.changes({ prompt: 'nobody' })).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
  })

  it('resolves many as of one change, and as of another time', async () => {
    const { admin, registry, url } = await ours()
    await registry.setAlias('greet', 'experiment', 1)
    const found = await admin.resolve(['memory', 'greet', 'nobody'], { alias: ['experiment', 'production'] })
    expect(found).toMatchObject({
      seq: 9,
      prompts: [
        { name: 'memory', alias: 'production', version: 3, content: { template: 'three' } },
        { name: 'greet', alias: 'experiment', version: 1, content: { template: 'hi' } },
      ],
      missing: [{ name: 'nobody', code: 'PROMPT_NOT_FOUND' }],
    })
    expect(found.prompts[0]?.digest).toBe(found.prompts[0]?.content?.digest)

    const [last] = (await admin.changes({ prompt: 'memory', limit: 1 })).items
    const at = last?.at ?? 0
    const deletion = {
      method: 'DELETE',
      body: JSON.stringify({ name: 'memory' }),
      headers: { 'content-type': 'application/json' },
    }
    while (Date.now() <= at) await new Promise((resolve) => setTimeout(resolve, 1))
    await fetch(`${url}/api/2.0/mlflow/registered-models/delete`, deletion)
    expect((await admin.resolve(['memory'])).missing).toEqual([{ name: 'memory', code: 'PROMPT_NOT_FOUND' }])
    expect(await admin.resolve(['memory'], { at })).toMatchObject({
      at,
      prompts: [{ version: 3, content: { template: 'three' }, since: { seq: 8, reason: 'to three' } }],
    })
  })

  it('tells what it can of a model that is no prompt', async () => {
    const { admin, url } = await ours()
    const post = (path: string, body: object) =>
      fetch(`${url}/api/2.0/mlflow/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      })
    await post('registered-models/create', { name: 'model' })
    await post('model-versions/create', { name: 'model', source: 's3://somewhere' })
    await post('registered-models/alias', { name: 'model', alias: 'production', version: '1' })
    const { prompts } = await admin.resolve(['model', 'greet'])
    expect(prompts).toMatchObject([
      { name: 'model', version: 1 },
      { name: 'greet', version: 1 },
    ])
    expect(prompts[0]?.content).toBeUndefined()
  })

  it('rolls back once, also when the answer was lost', async () => {
    const { url, registry } = await ours()
    let lost = 0
    const admin = createAdmin({
      trackingUri: url,
      env: {},
      random: () => 0,
      fetch: async (...request) => {
        const response = await fetch(...request)
        if (String(request[0]).endsWith('/rollback') && lost++ === 0) throw new TypeError('connection lost')
        return response
      },
    })
    const changes = await admin.rollback({ name: 'memory', reason: 'too long', expected: 3 })
    expect(changes).toMatchObject([{ from: 3, to: 2, restores: 6, reason: 'too long' }])
    expect(lost).toBe(2)
    expect((await admin.changes({ prompt: 'memory' })).items).toHaveLength(7)
    expect((await registry.load('memory')).template).toBe('two')
    await expect(admin.rollback({ name: 'memory', reason: 'again', expected: 3 })).rejects.toMatchObject({
      code: 'CONFLICT',
      current: 2,
    })
  })

  it('makes, lists and revokes tokens; a creation whose answer was lost is not made twice', async () => {
    const { admin, url } = await ours()
    expect(await admin.whoami()).toMatchObject({ actor: 'anonymous', tokens: false })
    const { token, id } = await admin.tokens.create({
      name: 'root',
      roles: ['admin'],
      expiresInSeconds: 3600,
    })
    const asRoot = (more: object = {}) =>
      createAdmin({ trackingUri: url, env: { MLFLOW_TRACKING_TOKEN: token }, random: () => 0, ...more })
    const root = asRoot()
    expect(await root.whoami()).toEqual({ actor: 'root', roles: ['admin'], tokens: true })
    await expect(admin.whoami()).rejects.toMatchObject({ code: 'UNAUTHENTICATED', status: 401 })
    const losing = asRoot({
      fetch: async (...request: Parameters<typeof fetch>) => {
        const response = await fetch(...request)
        if (String(request[0]).endsWith('/tokens')) throw new TypeError('connection lost')
        return response
      },
    })
    await expect(losing.tokens.create({ name: 'ci', roles: ['reader'] })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
    expect((await root.tokens.list()).map(({ name }) => name)).toEqual(['root', 'ci'])
    expect(await root.tokens.revoke('ci')).toMatchObject({ name: 'ci', revokedAt: expect.any(Number) })
    await expect(root.tokens.revoke('nobody')).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('there is no token "nobody"'),
    })
    await expect(root.tokens.revoke(id)).rejects.toMatchObject({
      code: expect.stringMatching(/CONFLICT|INVALID_INPUT/),
    })
    await root.tokens.revoke(id, { force: true })
    await expect(root.whoami()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  it('sets, lists and removes policies', async () => {
    const { admin } = await ours()
    const policy = {
      alias: 'production',
      roles: ['promoter'],
      reasonRequired: true,
      evidenceRequired: true,
      maxAgeSeconds: 60,
    } as const
    expect(await admin.policies.set(policy)).toMatchObject(policy)
    expect(await admin.policies.list()).toMatchObject([policy])
    expect(await admin.policies.remove('production')).toBe(true)
    expect(await admin.policies.remove('production')).toBe(false)
  })

  it.each([
    { rule: 'a name', call: (admin: Admin) => admin.resolve(['a b']), want: 'name must be' },
    { rule: 'no names', call: (admin: Admin) => admin.resolve([]), want: 'names must be' },
    { rule: 'an alias', call: (admin: Admin) => admin.resolve(['a'], { alias: 'v3' }), want: 'by number' },
    {
      rule: 'no reason',
      call: (admin: Admin) => admin.rollback({ name: 'a', reason: ' ' }),
      want: 'reason must be',
    },
    {
      rule: 'a row',
      call: (admin: Admin) => admin.rollback({ name: 'a', reason: 'x', toSeq: 0 }),
      want: 'toSeq must be',
    },
    {
      rule: 'a role',
      call: (admin: Admin) => admin.tokens.create({ name: 'a', roles: [] }),
      want: 'roles must be',
    },
  ])('refuses $rule before any request', async ({ call, want }) => {
    const admin = createAdmin({ trackingUri: 'http://127.0.0.1:9', env: {} })
    await expect((async () => call(admin))()).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(want),
    })
  })
})

it('an older server of ours is told from one that is none', async () => {
  const server = createServer((request, response) => {
    const knows = request.url?.endsWith('/capabilities')
    const body = knows
      ? { server: 'promptkeep', version: '0.1.0', seed: true, compare_and_set: true, history: true }
      : { error_code: 'ENDPOINT_NOT_FOUND', message: 'No endpoint.' }
    response.writeHead(knows ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())))
  const trackingUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const admin = createAdmin({ trackingUri, env: {} })
  for (const call of [() => admin.whoami(), () => admin.policies.list(), () => admin.resolve(['a'])])
    await expect(call()).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/is an older registry \(promptkeep 0\.1\.0\): it has no /),
    })
})

describe.skipIf(mlflowSkip)(`an admin of a stock MLflow server ${mlflowSkip}`, { timeout: 120_000 }, () => {
  let mlflow: Awaited<ReturnType<typeof startMlflow>>
  let asked: Asked
  beforeAll(async () => {
    mlflow = await startMlflow()
    asked = await stocked(mlflow.url)
  }, 120_000)
  afterAll(async () => {
    await asked?.registry.close()
    await mlflow?.stop()
  })

  it('is told that there are no tokens, policies, live changes or past', async () => {
    const { admin } = asked
    const stopping = new AbortController()
    for (const [call, what] of [
      [() => admin.whoami(), 'tokens'],
      [() => admin.tokens.list(), 'tokens'],
      [() => admin.tokens.create({ name: 'a', roles: ['admin'] }), 'tokens'],
      [() => admin.policies.list(), 'policies'],
      [() => admin.policies.set({ alias: 'production' }), 'policies'],
      [() => admin.follow({ signal: stopping.signal }).next(), 'live changes'],
      [() => admin.resolve(['memory'], { at: 1 }), 'past to look at'],
    ] as const)
      await expect(call()).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringMatching(
          new RegExp(`is a stock MLflow server \\(3\\..*\\): it has no ${what}`),
        ),
      })
  })

  it('resolves alias by alias, and knows the last moves of all prompts', async () => {
    const { admin } = asked
    expect(
      await admin.resolve(['memory', 'nobody', 'greet'], { alias: ['experiment', 'production'] }),
    ).toMatchObject({
      prompts: [
        { name: 'memory', alias: 'production', version: 3, content: { template: 'three' } },
        { name: 'greet', alias: 'production', version: 1 },
      ],
      missing: [{ name: 'nobody', code: 'PROMPT_NOT_FOUND' }],
    })
    const { items } = await admin.changes()
    expect(items.map(({ prompt, from, to, reason }) => [prompt, from, to, reason])).toEqual([
      ['memory', 2, 3, 'to three'],
      ['greet', undefined, 1, undefined],
    ])
    expect(
      (await admin.changes({ until: items[0]?.at, prompt: 'memory', kinds: ['alias.moved'] })).items,
    ).toHaveLength(1)
    expect((await admin.changes({ alias: 'experiment' })).items).toEqual([])
    await expect(admin.changes({ actor: 'ada' })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  })

  it('undoes the last move that is recorded, and no other', async () => {
    const { admin, registry, url } = asked
    expect(await admin.rollback({ name: 'memory', reason: 'too long' })).toMatchObject([
      { from: 3, to: 2, reason: 'too long' },
    ])
    expect((await registry.load('memory')).template).toBe('two')
    await expect(admin.rollback({ name: 'memory', reason: 'x', toSeq: 1 })).rejects.toThrow('keeps no log')
    await expect(admin.rollback({ name: 'greet', reason: 'x' })).rejects.toThrow(
      'was unset before its last move',
    )
    await expect(admin.rollback({ name: 'greet', alias: 'other', reason: 'x' })).rejects.toThrow(
      'no move is recorded',
    )
    await fetch(`${url}/api/2.0/mlflow/registered-models/alias`, {
      method: 'POST',
      body: JSON.stringify({ name: 'memory', alias: 'production', version: '1' }),
      headers: { 'content-type': 'application/json' },
    })
    await expect(admin.rollback({ name: 'memory', reason: 'x' })).rejects.toMatchObject({
      code: 'CONFLICT',
      current: 1,
    })
  })

  it('keeps evidence as it was said, and has nothing to force', async () => {
    const { admin, registry } = asked
    await registry.setAlias('memory', 'experiment', 2, { evidence: 'runs:/abc', reason: 'passed' })
    expect((await admin.changes({ alias: 'experiment' })).items).toMatchObject([
      { to: 2, evidence: 'runs:/abc' },
    ])
    await expect(
      registry.setAlias('memory', 'experiment', 1, { force: true, reason: 'x' }),
    ).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    })
    expect((await registry.load('memory@experiment')).version).toBe(2)
  })
})
