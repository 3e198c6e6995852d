import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Change, silent } from '@promptkeep/client/protocol'
import { openTokens, readConfig, start } from '@promptkeep/server'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { openSqlite } from '../packages/sql/src/sqlite.ts'
import { ask } from './support/ask.ts'
import { type ChangeReader, type ReaderOptions, readChanges } from './support/change-reader.ts'
import { databases } from './support/databases.ts'
import { postgresSkip, startPostgres } from './support/postgres.ts'
import { startRegistry } from './support/registry.ts'
import { bearer, startTokenRegistry } from './support/token-registry.ts'

const OWN = '/api/promptkeep/1.0'
const readers: ChangeReader[] = []
afterEach(() => {
  for (const reader of readers.splice(0)) reader.stop()
})

const read = (options: ReaderOptions) => {
  const reader = readChanges(options)
  readers.push(reader)
  return reader
}
const hello = (reader: ChangeReader) =>
  reader.until(() => reader.events.some(({ event }) => event === 'hello'))
const heard = (reader: ChangeReader, seq: number) => reader.until(() => reader.seqs().includes(seq))
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1)

async function post(url: string, path: string, body: object, headers: Record<string, string> = {}) {
  const answer = await ask(url, {
    method: 'POST',
    path: `${OWN}/${path}`,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  })
  if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}
const seed = (url: string, name: string, template = `I am ${name}.`) =>
  post(url, 'seed', { name, alias: 'production', template })
const move = async (url: string, name: string, alias = 'production') =>
  ((await post(url, 'alias', { name, alias, version: 1 })) as { change: Change }).change.seq ?? 0

async function withRegistry(env: Record<string, string> = {}) {
  const registry = await startRegistry(env)
  onTestFinished(() => registry.stop())
  return registry
}

describe.each(databases)('live changes on $database', (on) => {
  if (on.skip) return it.skip(`skipped: ${on.skip}`)

  async function withServer(env: Record<string, string> = {}) {
    const database = await on.start()
    onTestFinished(() => database.stop())
    return withRegistry({ ...database.env, ...env })
  }

  it('tells every change after the cursor, then those that come, with the version as the look-up answers it', async () => {
    const { url } = await withServer()
    await seed(url, 'memory')
    const reader = read({ url: () => url, after: 0 })
    await heard(reader, 2)
    const seq = await move(url, 'memory')
    await heard(reader, seq)
    expect(reader.seqs()).toEqual([1, 2, 3])
    const { body } = await ask(url, {
      method: 'GET',
      path: '/api/2.0/mlflow/registered-models/alias',
      query: [
        ['name', 'memory'],
        ['alias', 'production'],
      ],
    })
    const told = reader.events.find(({ id }) => id === '3')
    expect(told?.data.model_version).toEqual((body as { model_version: object }).model_version)
    const listed = await ask(url, { method: 'GET', path: `${OWN}/changes` })
    expect(told?.data.change).toEqual((listed.body as { changes: Change[] }).changes[0])
  })

  it('misses nothing and tells nothing twice to readers whose connections are cut 100 times', async () => {
    const { url } = await withServer()
    await seed(url, 'memory')
    const all = Array.from({ length: 4 }, () => read({ url: () => url, after: 0 }))
    const kept = read({ url: () => url, after: 0 })
    let last = 2
    for (let round = 0; round < 100; round++) {
      const moves = [move(url, 'memory'), move(url, 'memory', `a${round % 7}`)]
      all[(round * 7) % all.length]?.cut()
      last = Math.max(last, ...(await Promise.all(moves)))
    }
    for (const reader of [...all, kept]) {
      await heard(reader, last)
      expect(reader.seqs()).toEqual(upTo(last))
    }
    expect(last).toBe(202)
    expect(kept.connections()).toBe(1)
    expect(all.reduce((sum, reader) => sum + reader.connections(), 0)).toBeGreaterThan(50)
  })

  it('catches up from the log what is no longer in memory', async () => {
    const { url } = await withServer()
    const listening = read({ url: () => url })
    await hello(listening)
    // 240 versions of 40 KB are more than the server keeps at hand.
    const texts = Array.from({ length: 240 }, (_, index) => `prompt-${index}`)
    for (let index = 0; index < texts.length; index += 8)
      await Promise.all(
        texts.slice(index, index + 8).map((name) => seed(url, name, `${name} ${'x'.repeat(40_000)}`)),
      )
    const late = read({ url: () => url, after: 0 })
    await heard(late, 480)
    await heard(listening, 480)
    expect(late.seqs()).toEqual(upTo(480))
    expect(listening.seqs()).toEqual(upTo(480))
  })
})

it('a version above 64 KB is told by its number and digest', async () => {
  const { url } = await withRegistry()
  const reader = read({ url: () => url, after: 0 })
  await seed(url, 'small', 'x'.repeat(60_000))
  await seed(url, 'large', 'x'.repeat(70_000))
  await heard(reader, 4)
  const moves = reader.events.filter(({ data }) => data.change?.kind === 'alias.moved')
  expect(moves.map(({ data }) => data.model_version?.version)).toEqual(['1', undefined])
  expect(moves[1]?.data.change).toMatchObject({ prompt: 'large', to: 1 })
  expect(moves[1]?.data.change?.digest).toMatch(/^[0-9a-f]{64}$/)
})

it('a cursor outside of the log is told so, and the stream goes on from its end', async () => {
  const { url, dir } = await withRegistry()
  await seed(url, 'memory')
  await move(url, 'memory')
  const database = openSqlite({ path: join(dir, 'registry.db') })
  database.run('delete from changes where seq <= 2')
  database.close()
  const before = read({ url: () => url, after: 1 })
  const beyond = read({ url: () => url, after: 99 })
  const exact = read({ url: () => url, after: 2 })
  for (const reader of [before, beyond]) {
    await reader.until(() => reader.events.some(({ event }) => event === 'reset'))
    const reset = reader.events.find(({ event }) => event === 'reset')
    expect(reset).toMatchObject({ id: '3', data: { first: 3, last: 3 } })
  }
  const seq = await move(url, 'memory')
  for (const reader of [before, beyond, exact]) await heard(reader, seq)
  expect(before.seqs()).toEqual([4])
  expect(beyond.seqs()).toEqual([4])
  expect(exact.seqs()).toEqual([3, 4])
  expect(exact.events.some(({ event }) => event === 'reset')).toBe(false)
})

it('a reader that never reads is cut off; the others hear everything', async () => {
  const { url } = await withRegistry()
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  onTestFinished(() => void socket.destroy())
  let closed = false
  socket.on('error', () => {}).once('close', () => (closed = true))
  socket.write(`GET ${OWN}/changes HTTP/1.1\r\nHost: ${hostname}\r\nAccept: text/event-stream\r\n\r\n`)
  socket.pause()
  const reader = read({ url: () => url })
  await hello(reader)
  let last = 0
  // Some 15 MB: what the kernel keeps for a socket is a few of them.
  for (let index = 0; index < 150; index++) {
    const name = `prompt-${index}`
    await seed(url, name, 'x'.repeat(50_000))
    last += 2
  }
  await heard(reader, last)
  expect(reader.seqs()).toEqual(upTo(last))
  expect(reader.connections()).toBe(1)
  // Only now is it read: what the server sent before it gave up, and then the end.
  const gone = new Promise((resolve) => socket.once('close', resolve))
  socket.resume()
  await gone
  expect(closed).toBe(true)
})

it('a log that is set back under a running server is told to all readers', async () => {
  const { url, dir } = await withRegistry()
  await seed(url, 'memory')
  for (let index = 0; index < 4; index++) await move(url, 'memory')
  const old = read({ url: () => url, after: 0 })
  await heard(old, 6)
  const database = openSqlite({ path: join(dir, 'registry.db') })
  database.run('delete from changes where seq > 3')
  database.run("update counters set value = 3 where name = 'change'")
  database.close()
  await old.until(() => old.events.some(({ event }) => event === 'reset'))
  expect(old.events.find(({ event }) => event === 'reset')).toMatchObject({ id: '3', data: { last: 3 } })
  const fresh = read({ url: () => url, after: 3 })
  await hello(fresh)
  expect(await move(url, 'memory')).toBe(4)
  await heard(fresh, 4)
  await old.until(() => old.seqs().length === 7)
  expect(old.seqs()).toEqual([...upTo(6), 4])
  expect(fresh.seqs()).toEqual([4])
})

it('requests behind one another on a connection open one stream, and its end frees its place', async () => {
  const { url } = await withRegistry({ MAX_STREAMS: '2' })
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  const request = `GET ${OWN}/changes HTTP/1.1\r\nHost: ${hostname}\r\nAccept: text/event-stream\r\n\r\n`
  socket.write(request.repeat(50))
  await new Promise((resolve) => socket.once('data', resolve))
  const beside = read({ url: () => url })
  await hello(beside)
  socket.destroy()
  const next = read({ url: () => url })
  await hello(next)
  expect(beside.connections()).toBe(1)
})

it('a long edit is told without its texts', async () => {
  const { url } = await withRegistry({ ALLOW_MODEL_CONFIG_EDIT: 'true' })
  await seed(url, 'memory')
  const reader = read({ url: () => url, after: 0 })
  const edit = (note: string) =>
    ask(url, {
      method: 'POST',
      path: '/api/2.0/mlflow/model-versions/set-tag',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        name: 'memory',
        version: '1',
        key: '_mlflow_prompt_model_config',
        value: JSON.stringify({ model_name: note }),
      }),
    })
  expect((await edit('x'.repeat(30_000))).status).toBe(200)
  await heard(reader, 3)
  const told = reader.events.find(({ id }) => id === '3')?.data.change
  expect(told).toMatchObject({ kind: 'config.edited', to: 1 })
  expect(told).not.toHaveProperty('evidence')
})

it('beats, also where nothing happens', async () => {
  const { url } = await withRegistry({ HEARTBEAT_MS: '100' })
  await seed(url, 'memory')
  const reader = read({ url: () => url })
  await reader.until(() => reader.events.filter(({ event }) => event === 'heartbeat').length >= 3)
  expect(reader.events[0]).toMatchObject({ event: 'hello', data: { seq: 2, heartbeat_ms: 100 } })
  expect(reader.events[1]).toMatchObject({ event: 'heartbeat', id: '2', data: { seq: 2 } })
})

it('a stop ends streams at once, and a server on the same database goes on where they were', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-live-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const config = readConfig({
    PORT: '0',
    DATABASE_URL: `sqlite:${join(dir, 'registry.db')}`,
    SHUTDOWN_GRACE_MS: '600000', // a stream that is not ended would hold it for ten minutes
  })
  let server = await start(config, silent)
  const reader = read({ url: () => server.url, after: 0 })
  await seed(server.url, 'memory')
  await heard(reader, 2)
  await server.stop()
  expect(reader.events.at(-1)).toMatchObject({ event: 'end' })
  server = await start(config, silent)
  onTestFinished(() => server.stop())
  await move(server.url, 'memory')
  await heard(reader, 3)
  expect(reader.seqs()).toEqual([1, 2, 3])
})

it('misses nothing and tells nothing twice over 100 cuts of open streams at random, whole servers among them', {
  timeout: 120_000,
}, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-live-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const config = readConfig({ PORT: '0', DATABASE_URL: `sqlite:${join(dir, 'registry.db')}` })
  let server = await start(config, silent)
  onTestFinished(() => server.stop())
  await seed(server.url, 'memory')
  const all = Array.from({ length: 4 }, () => read({ url: () => server.url, after: 0 }))
  const greetings = (reader: ChangeReader) => reader.events.filter(({ event }) => event === 'hello').length
  /** Cuts streams that are open, and waits until their readers are back. */
  const cutOpen = async (some: readonly ChangeReader[], cut: () => unknown) => {
    const before = some.map(greetings)
    await cut()
    for (const [index, reader] of some.entries())
      await reader.until(() => greetings(reader) > (before[index] ?? 0))
  }
  for (const reader of all) await hello(reader)
  let state = 20_261_122
  const random = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
  let stopped = false
  const moveOn = async (alias: string) => {
    while (!stopped) await move(server.url, 'memory', alias).catch(() => {}) // the server may be between two lives
  }
  const movers = ['production', 'a'].map(moveOn)
  let cuts = 0
  let stops = 0
  while (cuts < 100) {
    const reader = all[random(all.length)] as ChangeReader
    const seen = reader.seqs().length
    if (random(3) > 0) await reader.until(() => reader.seqs().length > seen)
    if (random(12) > 0) {
      cuts++
      await cutOpen([reader], () => reader.cut())
    } else {
      cuts += all.length
      stops++
      await cutOpen(all, async () => {
        await server.stop()
        server = await start(config, silent)
      })
    }
  }
  stopped = true
  await Promise.all(movers)
  const last = await move(server.url, 'memory', 'last')
  for (const reader of all) {
    await heard(reader, last)
    expect(reader.seqs()).toEqual(upTo(last))
    expect(reader.events.some(({ event }) => event === 'reset')).toBe(false)
  }
  expect(stops).toBeGreaterThan(0)
  expect(all.reduce((sum, reader) => sum + greetings(reader), 0)).toBe(all.length + cuts)
})

it('what many readers missed is sent to each in parts: who does not read holds little of it', async () => {
  const { url } = await withRegistry()
  const listening = read({ url: () => url })
  await hello(listening)
  for (let index = 0; index < 120; index++) await seed(url, `prompt-${index}`, 'x'.repeat(25_000))
  await heard(listening, 240)
  const { hostname, port } = new URL(url)
  const before = process.memoryUsage().arrayBuffers
  const deaf = Array.from({ length: 40 }, () => {
    const socket = connect(Number(port), hostname)
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {}).pause()
    socket.write(
      `GET ${OWN}/changes?after=0 HTTP/1.1\r\nHost: ${hostname}\r\nAccept: text/event-stream\r\n\r\n`,
    )
    return socket
  })
  const late = read({ url: () => url, after: 0 })
  await heard(late, 240)
  expect(late.seqs()).toEqual(upTo(240))
  expect(deaf).toHaveLength(40)
  // Whole, what they missed is 6 MB each.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(80 * 1024 * 1024)
})

it('a stream ends when its token is revoked', async () => {
  const registry = await startTokenRegistry({ HEARTBEAT_MS: '100' })
  onTestFinished(() => registry.stop())
  const { url, tokens, databaseUrl } = registry
  const reader = read({ url: () => url, headers: bearer(tokens.reader) })
  await hello(reader)
  // As `promptkeep token revoke --database` does it, beside the server.
  const direct = await openTokens(databaseUrl)
  await direct.revoke('reader')
  await direct.close()
  await reader.until(() => reader.events.some(({ event }) => event === 'refused'))
  const said = reader.events.filter(({ event }) => ['end', 'refused'].includes(event)).slice(0, 2)
  expect(said).toMatchObject([{ event: 'end' }, { event: 'refused', data: { seq: 401 } }])
})

it('as many streams are open as MAX_STREAMS says', async () => {
  const { url } = await withRegistry({ MAX_STREAMS: '2' })
  const first = read({ url: () => url })
  await hello(first)
  await hello(read({ url: () => url }))
  const stream = { method: 'GET', path: `${OWN}/changes`, headers: { accept: 'text/event-stream' } }
  const refused = await ask(url, stream)
  expect(refused).toMatchObject({ status: 503, body: { error_code: 'TEMPORARILY_UNAVAILABLE' } })
  expect(refused.headers['retry-after']).toBe('5')
  first.stop()
  const next = read({ url: () => url })
  await hello(next)
})

it.each([
  ['a word', { 'last-event-id': 'abc' }, ''],
  ['a negative number', { 'last-event-id': '-1' }, ''],
  ['a number that is too long', {}, '?after=12345678901234567'],
])('%s is no cursor', async (_, headers, query) => {
  const { url } = await withRegistry()
  const answer = await ask(url, {
    method: 'GET',
    path: `${OWN}/changes${query}`,
    headers: { accept: 'text/event-stream', ...headers },
  })
  expect(answer).toMatchObject({ status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } })
  expect(JSON.stringify(answer.body)).toContain('the id of an event: a whole number')
})

it('who does not accept an event stream gets the list', async () => {
  const { url } = await withRegistry()
  for (const accept of [
    '*/*',
    'application/json',
    'text/html,application/xhtml+xml',
    'text/event-stream;q=0, application/json',
  ])
    expect(await ask(url, { method: 'GET', path: `${OWN}/changes`, headers: { accept } })).toMatchObject({
      status: 200,
      body: { changes: [] },
    })
  const head = { method: 'HEAD', path: `${OWN}/changes`, headers: { accept: 'text/event-stream' } }
  expect((await ask(url, head)).status).toBe(200)
})

it.skipIf(postgresSkip)(
  `servers on one Postgres hear of each other's moves ${postgresSkip}`.trim(),
  async () => {
    const postgres = await startPostgres()
    onTestFinished(() => postgres.stop())
    const DATABASE_URL = await postgres.createDatabase()
    const [one, two] = [await startRegistry({ DATABASE_URL }), await startRegistry({ DATABASE_URL })]
    onTestFinished(async () => {
      await one.stop()
      await two.stop()
    })
    await seed(one.url, 'memory')
    const there = read({ url: () => two.url, after: 0 })
    await heard(there, 2)
    let last = 0
    for (let round = 0; round < 10; round++)
      last = Math.max(...(await Promise.all([move(one.url, 'memory'), move(two.url, 'memory')])))
    await heard(there, last)
    expect(there.seqs()).toEqual(upTo(22))
  },
)
