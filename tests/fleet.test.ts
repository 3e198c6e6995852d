import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RegistryOptions } from '@promptkeep/client'
import { createAdmin, type Reach } from '@promptkeep/client/admin'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { asking, createTestCli } from '../packages/cli/src/test-io.ts'
import { startCuttingProxy } from './support/cutting-proxy.ts'
import { databases, type TestDatabase } from './support/databases.ts'
import { openRegistry, publishTwo, until } from './support/followed.ts'
import { type Mlflow, mlflowSkip, startMlflow } from './support/mlflow.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'
import { startTokenRegistry } from './support/token-registry.ts'

async function run(url: string, name: string, instance: string, options: RegistryOptions = {}) {
  const registry = openRegistry(url, options)
  await registry.load(name)
  const following = await registry.follow({ report: { app: 'web', instance } })
  await following.ready
  return { registry, following }
}

async function commands(url: string) {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-fleet-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return createTestCli(dir).with(asking(url))
}

describe.each(databases)('on $database', ({ skip, start }) => {
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

  it.skipIf(skip !== '')(
    `a move reaches all who follow; who is cut off is behind ${skip}`,
    async () => {
      const admin = createAdmin({ trackingUri: server.url, env: {} })
      const writer = openRegistry(server.url)
      const name = await publishTwo(writer)
      const proxy = await startCuttingProxy(server.url)
      onTestFinished(() => proxy.stop())
      await run(server.url, name, 'one')
      const two = await run(server.url, name, 'two')
      const far = await run(proxy.url, name, 'far')
      const reach = async (): Promise<Reach | undefined> => (await admin.fleet({ prompt: name })).prompts[0]
      const on = async (version: number) =>
        ((await reach())?.instances ?? [])
          .filter((one) => one.version === version)
          .map(({ instance }) => instance)
      await until(async () => (await on(1)).length === 3, 'three run version 1')
      const cli = await commands(server.url)
      expect((await cli.run('fleet', name)).out).toBe(`${name}@production  v1  3 of 3 instances\n`)

      proxy.answer({
        path: '/api/promptkeep',
        with: 'HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n',
      })
      proxy.cut()
      await writer.setAlias(name, 'production', 2)
      await until(async () => (await on(2)).join() === 'one,two', 'two of them run version 2')
      expect(await reach()).toMatchObject({ version: 2, alias: 'production' })
      expect(await on(1)).toEqual(['far'])
      const behind = await cli.run('fleet', name, '--wait', '1')
      expect(behind).toMatchObject({ code: 1, err: '' })
      expect(behind.out).toMatch(
        new RegExp(`^${name}@production {2}v2 {2}2 of 3 instances {2}v1: web/far \\(\\d+ s ago\\)\n$`),
      )

      two.following.stop()
      proxy.answer(undefined)
      await until(async () => (await on(2)).join() === 'far,one', 'one left, and the other caught up')
      expect(far.following.state).not.toBe('stopped')
      const json = JSON.parse((await cli.run('fleet', name, '--json', '--wait')).out)
      expect(json).toMatchObject({ prompts: [{ prompt: name, version: 2, on: 2, of: 2, behind: [] }] })
    },
    60_000,
  )

  it.skipIf(skip !== '')(
    `tells of an alias that is gone, and of another text under the same number ${skip}`,
    async () => {
      const admin = createAdmin({ trackingUri: server.url, env: {} })
      const report = (digest: string) =>
        fetch(`${server.url}/api/promptkeep/1.0/fleet`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            app: 'job',
            instance: 'x',
            prompts: [{ name, alias: 'production', version: 1, digest }],
          }),
        })
      const writer = openRegistry(server.url)
      const name = await publishTwo(writer)
      await report('0'.repeat(64))
      const cli = await commands(server.url)
      expect((await cli.run('fleet', name)).out).toMatch(/v1 {2}0 of 1 instance {2}v1: job\/x/)
      await writer.setAlias(name, 'other', 1)
      await fetch(`${server.url}/api/2.0/mlflow/registered-models/alias`, {
        method: 'DELETE',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name, alias: 'production' }),
      })
      expect((await admin.fleet({ prompt: name })).prompts[0]?.version).toBeUndefined()
      expect((await cli.run('fleet', name)).out).toMatch(/gone {2}0 of 1 instance/)
      const silent = await publishTwo(writer)
      expect((await cli.run('fleet', silent)).err).toMatch(
        new RegExp(`^No instance reports ${silent} .*\n.*registry\\.follow`),
      )
      for (const json of [[], ['--json']])
        expect(await cli.run('fleet', `${name}x`, ...json)).toEqual({
          code: 2,
          out: '',
          err: `error: there is no prompt ${name}x, so nobody runs it\nDid you mean ${name}?\n`,
        })
      expect(await cli.run('fleet', name, '--app', 'nope')).toEqual({
        code: 0,
        out: '',
        err: `No instance of the app nope reports ${name}.\nThere is job.\n`,
      })
      expect((await cli.run('fleet', name, '--alias', 'prodcution')).err).toBe(
        `No instance reports ${name}@prodcution.\nDid you mean production?\n`,
      )
    },
  )
})

const running = { name: 'a', alias: 'production', version: 1, digest: '0'.repeat(64) }
const reportOf = (...prompts: readonly object[]) => ({ app: 'a', instance: 'x', prompts })

it.each([
  [{ app: 'a b', instance: 'x' }, /app must be at most 100 letters/],
  [{ app: 'a', instance: '' }, /instance must be at most 100 letters/],
  [{ app: 'a', instance: 'x', seq: -1 }, /seq must be a whole number from 0/],
  [reportOf(running, { ...running, name: 'a/b' }), /prompts\[1\]\.name must be letters/],
  [reportOf({ ...running, alias: '' }), /prompts\[0\]\.alias must be letters/],
  [reportOf({ ...running, alias: 'v3' }), /prompts\[0\]\.alias must be an alias/],
  [reportOf({ ...running, version: 0 }), /prompts\[0\]\.version must be a whole number from 1/],
  [
    reportOf({ ...running, version: 2 ** 31 }),
    /prompts\[0\]\.version must be a whole number from 1 to 2147483647/,
  ],
  [reportOf({ ...running, digest: 'x' }), /digest must be 64 hexadecimal/],
  [reportOf(...Array.from({ length: 1001 }, () => running)), /at most 1000 prompts/],
])('refuses a report that is none: %#', async (body, says) => {
  const server = await startRegistry()
  onTestFinished(() => server.stop())
  const answer = await fetch(`${server.url}/api/promptkeep/1.0/fleet`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(answer.status).toBe(400)
  expect(((await answer.json()) as { message: string }).message).toMatch(says)
})

it.each([
  ['prompt=a:b', /prompt must be a text without "\/" and ":"/],
  ['alias=a%20b', /alias/],
  ['app=a%00', /app holds the character U\+0000/],
])('refuses to show what has no name: %s', async (query, says) => {
  const server = await startRegistry()
  onTestFinished(() => server.stop())
  const answer = await fetch(`${server.url}/api/promptkeep/1.0/fleet?${query}`)
  expect(answer.status).toBe(400)
  expect(((await answer.json()) as { message: string }).message).toMatch(says)
})

it('who is closed is gone by then, and stays so', async () => {
  const server = await startRegistry()
  onTestFinished(() => server.stop())
  const admin = createAdmin({ trackingUri: server.url, env: {} })
  const name = await publishTwo(openRegistry(server.url))
  for (const end of ['close', 'stop'] as const) {
    const { registry, following } = await run(server.url, name, end)
    await until(async () => (await admin.fleet()).instances === 1, 'it reports')
    if (end === 'stop') following.stop()
    await (end === 'close' && registry.close())
    if (end === 'stop') await until(async () => (await admin.fleet()).instances === 0, 'it is gone')
    expect((await admin.fleet()).instances).toBe(0)
  }
})

it('a reader may report and look; without a token nobody may', async () => {
  const server = await startTokenRegistry()
  onTestFinished(() => server.stop())
  const env = (token: string) => ({ MLFLOW_TRACKING_TOKEN: token })
  const writer = openRegistry(server.url, { env: env(server.tokens.writer) })
  const name = await publishTwo(writer)
  await run(server.url, name, 'one', { env: env(server.tokens.reader) })
  const admin = createAdmin({ trackingUri: server.url, env: env(server.tokens.reader) })
  await until(async () => (await admin.fleet()).instances === 1, 'it reports')
  const nobody = createAdmin({ trackingUri: server.url, env: {} })
  await expect(nobody.fleet()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
})

describe('on a stock MLflow', () => {
  let mlflow: Mlflow
  beforeAll(async () => {
    if (mlflowSkip === '') mlflow = await startMlflow()
  }, 120_000)
  afterAll(() => mlflow?.stop())

  it.skipIf(mlflowSkip !== '')(`there is no fleet, and following goes on ${mlflowSkip}`, async () => {
    const admin = createAdmin({ trackingUri: mlflow.url, env: {} })
    await expect(admin.fleet()).rejects.toThrow(/is a stock MLflow server .*: it has no fleet$/)
    const name = await publishTwo(openRegistry(mlflow.url))
    const { following } = await run(mlflow.url, name, 'one')
    expect(following.state).toBe('polling')
  })
})
