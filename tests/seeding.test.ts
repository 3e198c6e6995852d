import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { createRegistry, type SeedReport } from '@promptkeep/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { say, startAssistant } from './support/assistant.ts'
import { mlflowSkip, startMlflow } from './support/mlflow.ts'
import { startRegistry } from './support/registry.ts'
import { spawnSource } from './support/spawn-source.ts'

const SERVERS = [
  { name: 'our server', skip: '', start: () => startRegistry() },
  { name: 'a stock MLflow server', skip: mlflowSkip, start: () => startMlflow() },
]

/** Starts a process that seeds when it is told to, and waits until it is ready. */
async function startSeeder(trackingUri: string) {
  const child = spawnSource('seeder.ts', [trackingUri])
  onTestFinished(() => void child.kill('SIGKILL'))
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`the seeding process ended: ${errors}`)
    return value
  }
  expect(await next()).toBe('ready')
  return async (): Promise<SeedReport> => {
    child.stdin.write('go\n')
    return JSON.parse(await next())
  }
}

describe.each(SERVERS)('four processes that seed an empty registry at once: $name', ({ start, skip }) => {
  it.skipIf(skip !== '')(
    `make eleven prompts, eleven versions and eleven aliases ${skip}`,
    async () => {
      const server = await start()
      onTestFinished(() => server.stop())
      const seeders = await Promise.all([1, 2, 3, 4].map(() => startSeeder(server.url)))
      const reports = await Promise.all(seeders.map((seed) => seed()))

      expect(reports.flatMap(({ failed }) => failed)).toEqual([])
      const seeded = reports.flatMap(({ seeded, healed }) => [...seeded, ...healed])
      expect(seeded, 'each prompt has one winner').toHaveLength(11)
      expect(new Set(seeded).size).toBe(11)
      const registry = createRegistry({ trackingUri: server.url, env: {} })
      onTestFinished(() => registry.close())
      const { items } = await registry.list()
      expect(items).toHaveLength(11)
      for (const { name, aliases } of items) {
        expect(aliases, name).toEqual({ production: 1 })
        expect((await registry.versions(name)).items, name).toHaveLength(1)
      }
    },
    120_000,
  )
})

it('a registry that takes requests and never answers delays the start by at most 5 s', async () => {
  const sockets = new Set<import('node:net').Socket>()
  const silent = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  const began = performance.now()
  await using assistant = await startAssistant(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`)
  // The budget, and a margin for everything else that a start does on a busy machine.
  expect(performance.now() - began).toBeLessThan(6_500)
  expect(assistant.seeding.seeded).toEqual([])
  expect(
    assistant.lines.some(({ level, event }) => level === 'warn' && event === 'prompts.seed_stopped'),
  ).toBe(true)

  const asked = performance.now()
  const reply = await say(assistant, 'Good evening')
  expect(performance.now() - asked).toBeLessThan(5_000)
  expect(reply.last).toBe('done')
  expect(reply.final.prompts['orchestrator-base'].source).toBe('default')
})
