import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { ask } from './support/ask.ts'
import { readChanges } from './support/change-reader.ts'

const ROUNDS = 8
const bin = fileURLToPath(new URL('../packages/cli/bin/promptkeep.js', import.meta.url))

interface Served {
  readonly url: string
  kill(): Promise<void>
}

/** The real command in a process of its own, on a free port. */
async function serve(databaseUrl: string): Promise<Served> {
  const child: ChildProcess = spawn(
    process.execPath,
    [bin, 'serve', '--port', '0', '--database', databaseUrl],
    {
      env: { ...process.env, LOG_LEVEL: 'silent', HEARTBEAT_MS: '200' },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const url = await new Promise<string>((resolve, reject) => {
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const listening = /listening on (\S+)/.exec(said)?.[1]
      if (listening) resolve(listening)
    })
    child.once('close', () => reject(new Error(`the server ended: ${said}`)))
  })
  return {
    url,
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
  }
}

const post = (url: string, path: string, body: object) =>
  ask(url, {
    method: 'POST',
    path: `/api/promptkeep/1.0/${path}`,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })

it('kill -9 while it streams: readers come back, and miss nothing that was acknowledged', {
  timeout: 120_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'promptkeep-live-crash-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const databaseUrl = `sqlite:${join(folder, 'registry.db')}`
  let server = await serve(databaseUrl)
  onTestFinished(() => server.kill())
  await post(server.url, 'seed', { name: 'memory', alias: 'production', template: 'Hi' })
  const readers = [0, 1, 2].map(() => readChanges({ url: () => server.url, after: 0 }))
  onTestFinished(() => {
    for (const reader of readers) reader.stop()
  })

  const acknowledged = [1, 2]
  const moveUntilItDies = async (alias: string) => {
    for (;;) {
      const answer = await post(server.url, 'alias', { name: 'memory', alias, version: 1 }).catch(
        () => undefined,
      )
      if (answer?.status !== 200) return
      acknowledged.push((answer.body as { change: { seq: number } }).change.seq)
    }
  }
  for (let round = 0; round < ROUNDS; round++) {
    const wanted = acknowledged.length + 20
    const movers = ['production', 'a', 'b'].map(moveUntilItDies)
    await readers[round % 3]?.until(() => acknowledged.length >= wanted)
    await server.kill()
    await Promise.all(movers)
    server = await serve(databaseUrl)
  }
  const answer = await post(server.url, 'alias', { name: 'memory', alias: 'last', version: 1 })
  const last = (answer.body as { change: { seq: number } }).change.seq

  for (const reader of readers) {
    await reader.until(() => reader.seqs().includes(last))
    expect(reader.seqs()).toEqual(Array.from({ length: last }, (_, index) => index + 1))
    expect(reader.events.some(({ event }) => event === 'reset')).toBe(false)
    expect(reader.connections()).toBeGreaterThan(ROUNDS)
  }
  const heard = new Set(readers[0]?.seqs())
  expect(acknowledged.filter((seq) => !heard.has(seq))).toEqual([])
})
