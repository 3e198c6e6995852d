import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FollowedChange } from '@promptkeep/client'
import { createAdmin } from '@promptkeep/client/admin'
import { createLogRecorder } from '@promptkeep/client/testing'
import { backUp, restore } from '@promptkeep/server'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type CuttingProxy, startCuttingProxy } from './support/cutting-proxy.ts'
import { databases, type TestDatabase } from './support/databases.ts'
import { openRegistry, publishTwo, until } from './support/followed.ts'
import { type Mlflow, mlflowSkip, startMlflow } from './support/mlflow.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'
import { spawnSource } from './support/spawn-source.ts'
import { startTokenRegistry } from './support/token-registry.ts'

/** Something to wait for. */
function later() {
  let resolve = () => {}
  const promise = new Promise<void>((end) => {
    resolve = end
  })
  return { promise, resolve: () => resolve() }
}

const isMove = ({ kind }: FollowedChange) => kind === 'alias.moved'

describe.each(databases)('on our server with $database', ({ skip, start }) => {
  let database: TestDatabase
  let server: TestRegistry
  beforeAll(async () => {
    if (skip !== '') return
    database = await start()
    server = await startRegistry({ ...database.env, HEARTBEAT_MS: '1000' })
  }, 60_000)
  afterAll(async () => {
    await server?.stop()
    await database?.stop()
  })

  it.skipIf(skip !== '')(`a move is in the next load, and no load asks for it ${skip}`, async () => {
    const writer = openRegistry(server.url)
    const name = await publishTwo(writer)
    const reader = openRegistry(server.url)
    expect((await reader.load(name)).template).toBe('one')
    const heard: FollowedChange[] = []
    const following = await reader.follow({ onChange: (change) => heard.push(change) })
    await following.ready
    expect(following.state).toBe('live')
    expect(reader.status().live).toBe('live')

    await writer.setAlias(name, 'production', 2, { reason: 'better' })
    await until(async () => (await reader.load(name)).template === 'two', 'the move is seen')
    expect((await reader.load(name)).source).toBe('cache')
    expect(heard.filter(isMove)).toMatchObject([{ prompt: name, alias: 'production', from: 1, to: 2 }])
    expect(following.seq).toBe(heard.at(-1)?.seq)
  })

  it.skipIf(skip !== '')(
    `hears of aliases that come and go, of deletes, of latest and of config ${skip}`,
    async () => {
      const writer = openRegistry(server.url)
      const name = await publishTwo(writer)
      const reader = openRegistry(server.url)
      const chain = { alias: ['experiment', 'production'] }
      expect((await reader.load(name, chain)).version).toBe(1)
      expect((await reader.load(name, { alias: 'latest' })).version).toBe(2)
      await (await reader.follow()).ready

      await writer.setAlias(name, 'experiment', 2)
      await until(
        async () => (await reader.load(name, chain)).alias === 'experiment',
        'the new alias is seen',
      )
      await writer.register({ name, template: 'three' })
      await until(async () => (await reader.load(name, { alias: 'latest' })).version === 3, 'latest is 3')
      const ask = (method: string, path: string, body: object) =>
        fetch(`${server.url}/api/2.0/mlflow/${path}`, {
          method,
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json' },
        })
      await ask('DELETE', 'registered-models/alias', { name, alias: 'experiment' })
      await until(async () => (await reader.load(name, chain)).alias === 'production', 'the alias is gone')
      await ask('DELETE', 'registered-models/delete', { name })
      await until(
        async () => (await reader.load(name, { allowMissing: true })) === undefined,
        'it is deleted',
      )
      await writer.register({ name, template: 'anew' })
      await writer.setAlias(name, 'production', 1)
      await until(
        async () => (await reader.load(name, { allowMissing: true }))?.template === 'anew',
        'another text has the old number',
      )
    },
  )

  it.skipIf(skip !== '')(
    `misses nothing and hears nothing twice over 100 cuts at random ${skip}`,
    {
      timeout: 120_000,
    },
    async () => {
      const writer = openRegistry(server.url)
      const name = await publishTwo(writer)
      const proxy = await startCuttingProxy(server.url)
      onTestFinished(() => proxy.stop())
      const reader = openRegistry(proxy.url)
      await reader.load(name)
      const heard: FollowedChange[] = []
      const following = await reader.follow({ onChange: (change) => heard.push(change) })
      await following.ready

      let moves = 0
      let cuts = 0
      const move = async () => {
        await writer.setAlias(name, 'production', 1 + (moves++ % 2), { reason: `move ${moves}` })
      }
      while (cuts < 100) {
        await until(() => following.state === 'live', 'it is live again')
        const moving = move().then(move)
        await sleep(Math.random() * 8)
        proxy.cut()
        cuts++
        await until(() => following.state !== 'live', 'it is cut')
        await moving
      }
      await move()
      await until(() => heard.filter(isMove).length >= moves, 'all moves are heard')
      const seqs = heard.map(({ seq }) => seq)
      expect(new Set(seqs).size).toBe(seqs.length)
      expect(seqs).toEqual([...seqs].sort((a, b) => (a ?? 0) - (b ?? 0)))
      expect(heard.filter((change) => isMove(change) && change.prompt === name)).toHaveLength(moves)
      expect((await reader.load(name)).version).toBe(1 + ((moves - 1) % 2))
    },
  )

  it.skipIf(skip !== '').each([
    ['is refused', 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'],
    ['is kept back', 'silence'],
  ])(
    `polls while the stream %s, and comes back to it by itself ${skip}`,
    {
      timeout: 60_000,
    },
    async (_, answer) => {
      const writer = openRegistry(server.url)
      const name = await publishTwo(writer)
      const proxy: CuttingProxy = await startCuttingProxy(server.url)
      onTestFinished(() => proxy.stop())
      const log = createLogRecorder()
      const reader = openRegistry(proxy.url, { logger: log.logger })
      await reader.load(name)
      const heard: FollowedChange[] = []
      proxy.answer({ path: 'text/event-stream', with: answer })
      const following = await reader.follow({
        pollIntervalSeconds: 1,
        onChange: (change) => heard.push(change),
      })
      await following.ready
      expect(following.state).toBe('polling')
      await writer.setAlias(name, 'production', 2)
      await until(async () => (await reader.load(name)).version === 2, 'polling sees the move')
      proxy.answer(undefined)
      await until(() => following.state === 'live', 'it is live again')
      await writer.setAlias(name, 'production', 1)
      await until(async () => (await reader.load(name)).version === 1, 'the stream tells the move')
      expect(heard.filter((change) => change.prompt === name).map(({ to }) => to)).toEqual([2, 1])
      expect(log.lines.filter(({ event }) => event === 'live.lost')).toHaveLength(1)
    },
  )
})

describe('what is fresh', () => {
  it('is no answer to a question from before the stream was heard', async () => {
    const server = await startRegistry()
    onTestFinished(() => server.stop())
    const writer = openRegistry(server.url)
    const name = await publishTwo(writer)
    const real = globalThis.fetch
    const read = later()
    const gate = later()
    const spy = vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const response = await real(input, init)
      if (!String(input).includes(`alias?name=${name}`)) return response
      read.resolve()
      await gate.promise
      return response
    })
    onTestFinished(() => spy.mockRestore())
    const reader = openRegistry(server.url)
    const early = reader.load(name)
    await read.promise
    spy.mockRestore()
    await writer.setAlias(name, 'production', 2)
    const following = await reader.follow()
    await following.ready
    gate.resolve()
    expect((await early).version).toBe(1)
    expect((await reader.load(name)).version).toBe(2)
  })

  it('needs no request while the stream is alive, however short the TTL', async () => {
    const server = await startRegistry()
    onTestFinished(() => server.stop())
    const name = await publishTwo(openRegistry(server.url))
    const spy = vi.spyOn(globalThis, 'fetch')
    onTestFinished(() => spy.mockRestore())
    const reader = openRegistry(server.url, { cacheTtlSeconds: 0.3 })
    const asked = () => spy.mock.calls.filter(([url]) => String(url).includes(`alias?name=${name}`)).length
    expect((await reader.load(name)).version).toBe(1)
    await (await reader.follow()).ready
    await reader.load(name, { maxAgeMs: 0 })
    const before = asked()
    expect(before).toBe(2)
    for (let i = 0; i < 30; i++) {
      expect((await reader.load(name)).source).toBe('cache')
      await sleep(50)
    }
    expect(asked()).toBe(before)
  })
})

describe('when the server', () => {
  it('is started anew, the follower goes on after its cursor', { timeout: 60_000 }, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'promptkeep-follow-'))
    onTestFinished(() => rm(dir, { recursive: true, force: true }))
    const env = { DATABASE_URL: `sqlite:${join(dir, 'kept.db')}` }
    const first = await startRegistry(env)
    const writer = openRegistry(first.url)
    const name = await publishTwo(writer)
    const reader = openRegistry(first.url)
    await reader.load(name)
    const heard: FollowedChange[] = []
    const following = await reader.follow({
      pollIntervalSeconds: 1,
      onChange: (change) => heard.push(change),
    })
    await following.ready
    await first.stop()
    await until(() => following.state === 'down', 'it is down')
    expect((await reader.load(name)).template).toBe('one')
    const second = await startRegistry({ ...env, PORT: new URL(first.url).port })
    onTestFinished(() => second.stop())
    await writer.setAlias(name, 'production', 2)
    await until(() => heard.length > 0, 'the move is heard')
    expect(heard).toMatchObject([{ to: 2 }])
    expect((await reader.load(name)).template).toBe('two')
    await until(() => following.state === 'live', 'it is live again')
  })

  it('takes the token back, the follower stops and says so', async () => {
    const server = await startTokenRegistry({ HEARTBEAT_MS: '1000' })
    onTestFinished(() => server.stop())
    const admin = createAdmin({
      trackingUri: server.url,
      env: { MLFLOW_TRACKING_TOKEN: server.tokens.admin },
    })
    const { token } = await admin.tokens.create({ name: 'follower', roles: ['reader'] })
    const log = createLogRecorder()
    const reader = openRegistry(server.url, { env: { MLFLOW_TRACKING_TOKEN: token }, logger: log.logger })
    const following = await reader.follow()
    await following.ready
    expect(following.state).toBe('live')
    await admin.tokens.revoke('follower')
    await until(() => following.state === 'stopped', 'it is stopped')
    expect(log.lines.at(-1)).toMatchObject({
      level: 'warn',
      event: 'live.changed',
      fields: { state: 'stopped', err: { code: 'UNAUTHENTICATED' } },
    })
  })

  it('is set back to a backup, everything is asked for again', { timeout: 60_000 }, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'promptkeep-follow-'))
    onTestFinished(() => rm(dir, { recursive: true, force: true }))
    const env = { DATABASE_URL: `sqlite:${join(dir, 'kept.db')}` }
    const first = await startRegistry(env)
    const writer = openRegistry(first.url)
    const name = await publishTwo(writer)
    const backup = await backUp(env.DATABASE_URL, { to: join(dir, 'backup.db') })
    await writer.setAlias(name, 'production', 2)
    const log = createLogRecorder()
    const reader = openRegistry(first.url, { logger: log.logger })
    expect((await reader.load(name)).version).toBe(2)
    const following = await reader.follow({ pollIntervalSeconds: 1 })
    await following.ready
    const seq = following.seq ?? 0
    await first.stop()
    await restore(backup.file, env.DATABASE_URL, { force: true })
    const second = await startRegistry({ ...env, PORT: new URL(first.url).port })
    onTestFinished(() => second.stop())
    await until(() => log.lines.some(({ event }) => event === 'live.reset'), 'it is set back')
    expect((await reader.load(name)).version).toBe(1)
    expect(following.seq).toBeLessThan(seq)
    await until(() => following.state === 'live', 'it is live again')
    await writer.setAlias(name, 'production', 2)
    await until(async () => (await reader.load(name)).version === 2, 'it goes on from there')
  })

  it('refuses the token, the follower stops and says so; loads go on with what they have', async () => {
    const server = await startTokenRegistry()
    onTestFinished(() => server.stop())
    const log = createLogRecorder()
    const reader = openRegistry(server.url, {
      env: { MLFLOW_TRACKING_TOKEN: 'pk_wrong' },
      logger: log.logger,
    })
    const following = await reader.follow()
    await following.ready
    expect(following.state).toBe('stopped')
    expect(log.lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { event: 'live.changed', fields: { state: 'stopped' } },
    ])
  })
})

describe('on a stock MLflow', () => {
  let mlflow: Mlflow
  beforeAll(async () => {
    if (mlflowSkip === '') mlflow = await startMlflow()
  }, 120_000)
  afterAll(() => mlflow?.stop())

  it.skipIf(mlflowSkip !== '')(
    `polling sees moves, removals and deletes ${mlflowSkip}`,
    { timeout: 60_000 },
    async () => {
      const writer = openRegistry(mlflow.url)
      const name = await publishTwo(writer)
      const reader = openRegistry(mlflow.url)
      expect((await reader.load(name)).version).toBe(1)
      expect((await reader.capabilities()).live).toBe(false)
      const heard: FollowedChange[] = []
      const following = await reader.follow({
        pollIntervalSeconds: 1,
        onChange: (change) => heard.push(change),
      })
      await following.ready
      expect(following.state).toBe('polling')
      await writer.setAlias(name, 'production', 2)
      await until(async () => (await reader.load(name)).version === 2, 'the move is seen')
      expect(heard).toEqual([{ kind: 'alias.moved', prompt: name, alias: 'production', from: 1, to: 2 }])
    },
  )
})

it('nothing is left to do for a process whose registry is closed', async () => {
  const server = await startRegistry()
  onTestFinished(() => server.stop())
  const registry = openRegistry(server.url)
  const following = await registry.follow()
  await following.ready
  await registry.close()
  expect(following.state).toBe('stopped')
  await expect(registry.follow()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

describe('a script that ends its work without close', () => {
  async function run(...args: readonly string[]) {
    const child = spawnSource('./ending-follower.ts', args)
    onTestFinished(() => void child.kill('SIGKILL'))
    let out = ''
    for (const pipe of [child.stdout, child.stderr]) pipe.on('data', (text) => (out += text))
    const [code] = await once(child, 'exit')
    return { code, out }
  }

  it('ends, whether it is live', { timeout: 30_000 }, async () => {
    const server = await startRegistry()
    onTestFinished(() => server.stop())
    const name = await publishTwo(openRegistry(server.url))
    expect(await run(server.url, name)).toEqual({ code: 0, out: 'live 1\n' })
  })

  it('or polls', { timeout: 30_000 }, async () => {
    const server = await startRegistry()
    onTestFinished(() => server.stop())
    const name = await publishTwo(openRegistry(server.url))
    const proxy = await startCuttingProxy(server.url)
    onTestFinished(() => proxy.stop())
    proxy.answer({ path: 'text/event-stream', with: 'HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n' })
    expect(await run(proxy.url, name)).toEqual({ code: 0, out: 'polling 1\n' })
  })

  it('or hears nobody', { timeout: 30_000 }, async () => {
    expect(await run('http://127.0.0.1:9')).toMatchObject({ code: 0 })
  })
})

it('of two that begin together the second is refused', async () => {
  const server = await startRegistry()
  onTestFinished(() => server.stop())
  const registry = openRegistry(server.url)
  const both = await Promise.allSettled([registry.follow(), registry.follow()])
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
})

it.each([
  [{ pollIntervalSeconds: 0 }, /^pollIntervalSeconds must be a number of seconds from 1; got 0$/],
  [{ onChange: 'x' }, /^onChange must be a function/],
  [{ report: {} }, /^report.app must be the name of the app; got undefined$/],
  [{ report: { app: 'a b' } }, /^report.app must be at most 100/],
  [{ signal: {} }, /^signal must be an AbortSignal/],
])('refuses %j', async (options, says) => {
  const registry = openRegistry('http://127.0.0.1:1')
  await expect(registry.follow(options as never)).rejects.toThrow(says)
})
