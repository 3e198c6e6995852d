import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRegistry, type RegistryOptions } from '@promptkeep/client'
import { digestOf, silent } from '@promptkeep/client/protocol'
import { snapshotFile } from '@promptkeep/client/snapshot'
import { createLogRecorder } from '@promptkeep/client/testing'
import { readConfig, start } from '@promptkeep/server'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { asking, createTestCli } from '../packages/cli/src/test-io.ts'

let dir: string
let file: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'promptkeep-snapshot-'))
  file = join(dir, 'prompts.snapshot.json')
  return () => rm(dir, { recursive: true, force: true })
})

/** A registry that can go away and come back on its port, with its database. */
async function startStopping() {
  let port = 0
  const begin = async () => {
    const env = { PORT: String(port), DATABASE_URL: `sqlite:${join(dir, 'registry.db')}` }
    const running = await start(readConfig(env), silent)
    port = Number(new URL(running.url).port)
    return running
  }
  let running = await begin()
  let isUp = true
  const stop = async () => {
    if (isUp) await running.stop()
    isUp = false
  }
  onTestFinished(stop)
  return {
    url: running.url,
    stop,
    async again() {
      running = await begin()
      isUp = true
    },
  }
}

/** An app, from its start to its end. */
async function app<T>(
  options: RegistryOptions,
  work: (registry: ReturnType<typeof createRegistry>) => Promise<T>,
): Promise<T> {
  const registry = createRegistry({ env: {}, snapshot: snapshotFile(file), ...options })
  try {
    return await work(registry)
  } finally {
    await registry.close()
  }
}

const defaults = { memory: 'the bundled text' }

describe('an app that starts while its registry is away', () => {
  it('serves what it served last: true version and digest, within the grace; strict refuses; then the registry again', async () => {
    const server = await startStopping()
    const url = new URL(server.url)
    const trackingUri = server.url
    await app({ trackingUri }, async (registry) => {
      await registry.register({ name: 'memory', template: 'one' })
      const { version } = await registry.register({ name: 'memory', template: 'Hi {{ user }}' })
      await registry.setAlias('memory', 'production', version)
      expect(await registry.load('memory')).toMatchObject({ source: 'registry', version: 2 })
    })
    await server.stop()

    const log = createLogRecorder()
    await app({ trackingUri, defaults, logger: log.logger }, async (registry) => {
      const prompt = await registry.load('memory')
      expect(prompt).toMatchObject({
        source: 'snapshot',
        isFallback: false,
        version: 2,
        alias: 'production',
        digest: await digestOf({ template: 'Hi {{ user }}' }),
      })
      expect(prompt.format({ user: 'Ada' })).toBe('Hi Ada')
      await expect(registry.load('unknown')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    })
    expect(log.of('snapshot.ignored')).toEqual([])
    await app({ trackingUri, strict: true }, async (registry) => {
      await expect(registry.load('memory')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    })

    await server.again()
    expect(url.port).toBe(new URL(trackingUri).port)
    await app({ trackingUri, defaults }, async (registry) => {
      expect(await registry.load('memory')).toMatchObject({ source: 'registry', version: 2 })
    })
  })

  it('is kept waiting by one that hangs for the grace, not for the time-out', async () => {
    const server = await startStopping()
    await app({ trackingUri: server.url }, async (registry) => {
      await registry.register({ name: 'memory', template: 'one' })
      await registry.setAlias('memory', 'production', 1)
      await registry.load('memory')
    })
    const { port } = new URL(server.url)
    await server.stop()
    const hanging = createServer(() => {})
    await new Promise<void>((resolve) => void hanging.listen(Number(port), '127.0.0.1', resolve))
    onTestFinished(() => {
      hanging.closeAllConnections()
      hanging.close()
    })
    expect((hanging.address() as AddressInfo).port).toBe(Number(port))
    await app({ trackingUri: server.url, timeoutMs: 15_000 }, async (registry) => {
      const startedAt = performance.now()
      expect(await registry.load('memory')).toMatchObject({ source: 'snapshot', version: 1 })
      // 250 ms, and what a busy machine needs besides: far from the 15 s that it may take without.
      expect(performance.now() - startedAt).toBeLessThan(2_000)
    })
  })

  it('serves what was baked into its image, and never a snapshot of another registry', async () => {
    const server = await startStopping()
    const cli = createTestCli(dir, asking(server.url))
    await cli.run('register', 'memory', '--template', 'baked', '--alias', 'production')
    expect(await cli.run('snapshot')).toMatchObject({ code: 0 })
    await server.stop()
    await app({ trackingUri: server.url, defaults }, async (registry) => {
      expect(await registry.load('memory')).toMatchObject({ source: 'snapshot', template: 'baked' })
    })
    const log = createLogRecorder()
    await app({ trackingUri: 'http://127.0.0.1:9', defaults, logger: log.logger }, async (registry) => {
      expect(await registry.load('memory')).toMatchObject({ source: 'default', isFallback: true })
    })
    expect(log.of('snapshot.ignored')).toMatchObject([
      { fields: { where: file, reason: expect.stringContaining(server.url) } },
    ])
  })

  it('goes on without a file that cannot be written, and says so', async () => {
    const server = await startStopping()
    const log = createLogRecorder()
    const snapshot = snapshotFile(join(dir, 'missing', 'x.json'))
    await app({ trackingUri: server.url, snapshot, logger: log.logger }, async (registry) => {
      await registry.register({ name: 'memory', template: 'one' })
      await registry.setAlias('memory', 'production', 1)
      expect(await registry.load('memory')).toMatchObject({ source: 'registry' })
    })
    expect(log.of('snapshot.not_written')).toMatchObject([{ level: 'warn' }])
  })

  it('never writes the token or password that it asks with', async () => {
    const server = await startStopping()
    const { host } = new URL(server.url)
    await app({ trackingUri: server.url }, async (registry) => {
      await registry.register({ name: 'memory', template: 'one' })
      await registry.setAlias('memory', 'production', 1)
    })
    const env = { MLFLOW_TRACKING_TOKEN: 'pk_t0ken_s3cret' }
    await app({ trackingUri: server.url, env }, (registry) => registry.load('memory'))
    expect(await readFile(file, 'utf8')).not.toMatch(/t0ken|s3cret/)
    await rm(file)
    await app({ trackingUri: `http://ada:p4ssword@${host}` }, (registry) => registry.load('memory'))
    expect(await readFile(file, 'utf8')).not.toMatch(/p4ssword|ada/)
    await server.stop()
    await app({ trackingUri: `http://ada:p4ssword@${host}` }, async (registry) => {
      expect(await registry.load('memory')).toMatchObject({ source: 'snapshot' })
    })
  })
})
