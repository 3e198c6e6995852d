import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createBreaker } from './breaker.ts'
import { openStream } from './change-stream.ts'
import { sleep } from './deadline.ts'
import { InvalidInput } from './errors.ts'
import { startFollowing } from './follow.ts'
import type { FollowedChange, FollowOptions } from './follow-api.ts'
import { createLiveCache } from './live-cache.ts'
import { createLoader } from './loader.ts'
import type { PromptInfo, PromptVersion } from './prompt.ts'
import { readSettings } from './settings.ts'
import { createLogRecorder } from './testing.ts'
import { createTimers } from './timers.ts'
import type { Capabilities, Transport } from './transport.ts'
import { TAG } from './wire-keys.ts'

const TTL_MS = 60_000
const NAME = 'memory'

beforeEach(() => {
  // What comes at once comes by real turns of the event loop; only time is played.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const realTimeout = setTimeout
/** Digests are computed by other threads. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => realTimeout(resolve, 2))
}

async function pass(ms: number): Promise<void> {
  await settle()
  await vi.advanceTimersByTimeAsync(ms)
  await settle()
}

const wire = (version: number) => ({
  name: NAME,
  version: String(version),
  creation_timestamp: 1,
  tags: [
    { key: TAG.isPrompt, value: 'true' },
    { key: TAG.text, value: `text ${version}` },
  ],
})
const row = (seq: number, to: number) => ({
  seq,
  kind: 'alias.moved',
  prompt: NAME,
  alias: 'production',
  to,
  at: 1,
})

/** A registry whose every answer a test gives, when it likes to. */
function world(options: FollowOptions = {}, can: Partial<Capabilities> = {}) {
  const asked: { readonly url: string; readonly body?: unknown; answer(response: Response): void }[] = []
  const streams: { send(event: string, data: object): void; end(): void }[] = []
  const fetch = (async (url: string, { headers, body, signal }: RequestInit = {}) => {
    if ((headers as Record<string, string>).accept === 'text/event-stream') {
      const encoder = new TextEncoder()
      return new Response(
        new ReadableStream({
          start(controller) {
            signal?.addEventListener('abort', () => controller.error(signal.reason))
            streams.push({
              send: (event, data) =>
                controller.enqueue(encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)),
              end: () => controller.close(),
            })
          },
        }),
        { headers: { 'content-type': 'text/event-stream' } },
      )
    }
    return new Promise<Response>((answer, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason))
      asked.push({ url, ...(body && { body: JSON.parse(String(body)) }), answer })
    })
  }) as typeof globalThis.fetch

  const registry = {
    version: 1,
    held: undefined as Promise<void> | undefined,
    refused: undefined as Error | undefined,
    isGone: false,
    requests: 0,
    lists: 0,
  }
  const info = (): PromptInfo => ({
    name: NAME,
    aliases: { production: registry.version, other: 1 },
    latestVersion: registry.version,
    tags: {},
    description: '',
    createdAt: 1,
    updatedAt: 1,
  })
  const transport = {
    address: 'http://registry.test',
    scope: 'test',
    async capabilities() {
      return {
        server: 'promptkeep',
        version: '1',
        seed: true,
        compareAndSet: true,
        history: true,
        live: true,
        fleet: true,
        ...can,
      }
    },
    async findByAlias(name: string) {
      registry.requests++
      const { version, held, refused } = registry
      await held
      if (refused) throw refused
      return {
        name,
        version,
        template: `text ${version}`,
        commitMessage: '',
        tags: {},
        aliases: [],
        createdAt: 1,
        digest: `digest ${version}`,
      } satisfies PromptVersion
    },
    async list() {
      registry.lists++
      return { items: registry.isGone ? [] : [info()] }
    },
  } as unknown as Transport

  const log = createLogRecorder()
  const settings = readSettings({
    cacheTtlSeconds: TTL_MS / 1000,
    trackingUri: 'http://registry.test',
    env: {},
    logger: log.logger,
  })
  const closing = new AbortController()
  const breaker = createBreaker(Date.now)
  const loader = createLoader({
    ...settings,
    transport,
    timers: createTimers(),
    random: () => 0.5,
    closing: closing.signal,
    breaker,
    onAnswer: () => breaker.answered(),
    onTrouble: () => {},
  })
  const load = async (alias = 'production') =>
    (await loader.find(loader.keysOf(NAME, { chain: [alias] }), { timeoutMs: 2_000 })).body.version
  const heard: FollowedChange[] = []
  const follow = () =>
    startFollowing({
      transport,
      isOwnTransport: false,
      cache: createLiveCache(loader.inside),
      settings,
      random: () => 0.5,
      now: Date.now,
      closing: closing.signal,
      options: { onChange: (change) => heard.push(change), ...options },
      fetch,
    }).following
  const last = (part: string) => {
    const found = asked.filter(({ url }) => url.includes(part)).at(-1)
    if (!found) throw new Error(`nobody asked for ${part}`)
    return found
  }
  const resolved = (seq: number, version: number, etag = `"${version}"`) =>
    Response.json(
      { seq, prompts: [{ name: NAME, model_version: wire(version) }], missing: [] },
      { headers: { 'promptkeep-seq': String(seq), etag } },
    )
  return { asked, streams, registry, load, follow, heard, closing, log, last, resolved }
}
type World = ReturnType<typeof world>

async function goLive(it: World, seq = 10) {
  const following = it.follow()
  await settle()
  it.streams.at(-1)?.send('hello', { seq, heartbeat_ms: 10_000_000 })
  await settle()
  expect(following.state).toBe('live')
  return following
}

/** To the next check of everything, which is under way then. */
const untilCheck = () => pass(9.5 * TTL_MS + 1)

describe('the stream and a check', () => {
  it('an answer that is older than a change heard meanwhile does not undo it', async () => {
    const it = world()
    expect(await it.load()).toBe(1)
    await goLive(it)
    await untilCheck()
    it.streams[0]?.send('change', { change: row(11, 2), model_version: wire(2) })
    await settle()
    it.last('/resolve').answer(it.resolved(10, 1))
    await settle()
    expect(await it.load()).toBe(2)
  })

  it('changes of a log that was set back are taken, whatever a check knew of the one before', async () => {
    const it = world()
    await it.load()
    await goLive(it, 1_000)
    await untilCheck()
    it.last('/resolve').answer(it.resolved(1_000, 1))
    await settle()
    it.streams[0]?.send('reset', { first: 1, last: 500, reason: 'set back' })
    await settle()
    it.last('/resolve').answer(it.resolved(500, 1))
    await settle()
    await pass(10)
    it.registry.version = 2
    const { requests } = it.registry
    it.streams[0]?.send('change', { change: row(501, 2), model_version: wire(2) })
    await settle()
    expect(await it.load()).toBe(2)
    // Without a request, and as fresh as the stream, though the log ends before the place where it was opened.
    await pass(2 * TTL_MS)
    expect(await it.load()).toBe(2)
    expect(it.registry.requests).toBe(requests)
  })

  it('an answer from before a reset says nothing after it', async () => {
    const it = world()
    await it.load()
    await goLive(it, 1_000)
    await untilCheck()
    const before = it.last('/resolve')
    it.streams[0]?.send('reset', { first: 1, last: 500, reason: 'set back' })
    await settle()
    it.last('/resolve').answer(it.resolved(500, 2))
    await settle()
    before.answer(it.resolved(1_000, 1))
    await settle()
    expect(await it.load()).toBe(2)
  })
})

describe('what was confirmed before the stream began', () => {
  it('is as fresh as its TTL, and no fresher: it may have changed before the stream began', async () => {
    const it = world()
    it.follow()
    await settle()
    expect(await it.load()).toBe(1)
    it.registry.version = 2
    it.streams[0]?.send('hello', { seq: 11, heartbeat_ms: 10_000_000 }) // the move was 11
    await pass(0.7 * TTL_MS)
    expect(await it.load()).toBe(1)
    await pass(0.7 * TTL_MS)
    expect(await it.load()).toBe(2)
  })

  it('is not kept when the answer to it comes later', async () => {
    const it = world()
    it.follow()
    await settle()
    let release = () => {}
    it.registry.held = new Promise((resolve) => {
      release = resolve
    })
    const loading = it.load()
    await settle()
    it.registry.version = 2
    it.registry.held = undefined
    it.streams[0]?.send('hello', { seq: 11, heartbeat_ms: 10_000_000 })
    await settle()
    release()
    expect(await loading).toBe(1) // what the registry said when it was asked
    expect(await it.load()).toBe(2)
  })
})

describe('polling', () => {
  const page = (...rows: object[]) => Response.json({ changes: rows })
  async function poll(it: World) {
    const following = it.follow()
    await settle()
    it.last('/changes').answer(page(row(1_000, 1)))
    await settle()
    it.last('/resolve').answer(it.resolved(1_000, 1))
    await settle()
    expect(following.state).toBe('polling')
    return following
  }

  it('a log that was set back, or has lost what came next, is begun anew and said', async () => {
    for (const [rows, last] of [
      [[row(500, 2)], 500],
      [[], 0],
      [[row(1_003, 2), row(1_002, 1)], 1_003],
    ] as const) {
      const it = world({}, { live: false })
      await it.load()
      const following = await poll(it)
      it.registry.version = 2
      await pass(17_000)
      it.last('/changes').answer(page(...rows))
      await settle()
      expect(following.seq).toBe(last)
      expect(await it.load()).toBe(2)
      expect(it.log.lines.filter(({ event }) => event === 'live.reset')).toHaveLength(1)
      following.stop()
      await settle()
    }
  })

  it('a log that goes on is no reset', async () => {
    const it = world({}, { live: false })
    await it.load()
    const following = await poll(it)
    for (const rows of [[row(1_000, 1)], [row(1_002, 2), row(1_001, 1), row(1_000, 1)]]) {
      await pass(17_000)
      it.last('/changes').answer(page(...rows))
      await settle()
    }
    expect(it.heard.map(({ seq }) => seq)).toEqual([1_001, 1_002])
    expect(following.seq).toBe(1_002)
    expect(it.log.lines.filter(({ event }) => event === 'live.reset')).toEqual([])
  })

  it('on a registry without a log tells once of a move to what cannot be kept, and of a prompt that is gone', async () => {
    const it = world({ pollIntervalSeconds: 1 }, { live: false, history: false })
    await it.load()
    await it.load('other')
    it.follow()
    await pass(1_200)
    it.registry.version = 2
    it.registry.refused = new InvalidInput('it has no text')
    for (let i = 0; i < 4; i++) await pass(1_200)
    expect(it.heard).toEqual([{ kind: 'alias.moved', prompt: NAME, alias: 'production', from: 1, to: 2 }])
    it.registry.isGone = true
    for (let i = 0; i < 4; i++) await pass(1_200)
    expect(it.heard.slice(1)).toEqual([{ kind: 'prompt.deleted', prompt: NAME }])
  })

  it('asks as often as it was told to, and no more', async () => {
    const it = world({ pollIntervalSeconds: 300 }, { live: false, history: false })
    await it.load()
    it.follow()
    for (let second = 0; second < 900; second += 5) await pass(5_000)
    expect(it.registry.lists).toBeGreaterThanOrEqual(3)
    expect(it.registry.lists).toBeLessThanOrEqual(4)
  })
})

describe('reports', () => {
  const reports = (it: World) => it.asked.filter(({ url }) => url.endsWith('/fleet'))
  const done = () => Response.json({})

  it('changes without end do not put them off', async () => {
    const it = world({ report: { app: 'web', instance: 'one' } })
    await it.load()
    await goLive(it)
    for (let i = 1; i <= 20; i++) {
      it.streams[0]?.send('change', { change: row(10 + i, 1), model_version: wire(1) })
      await pass(200)
    }
    expect(reports(it).length).toBeGreaterThan(0)
  })

  it('a change while one is sent is told soon after', async () => {
    const it = world({ report: { app: 'web', instance: 'one' } })
    await it.load()
    await goLive(it)
    await pass(600)
    expect(reports(it)).toHaveLength(1)
    it.streams[0]?.send('change', { change: row(11, 2), model_version: wire(2) })
    await settle()
    reports(it)[0]?.answer(done())
    await pass(600)
    expect(reports(it)[1]?.body).toMatchObject({ seq: 11, prompts: [{ version: 2 }] })
  })

  it('"gone" is the last, also when another one is under way; a change of something else is none', async () => {
    const it = world({ report: { app: 'web', instance: 'one' } })
    await it.load()
    const following = await goLive(it)
    await pass(600)
    following.stop()
    await settle()
    expect(reports(it)).toHaveLength(1)
    reports(it)[0]?.answer(done())
    await settle()
    expect(reports(it)[1]?.body).toEqual({ app: 'web', instance: 'one', gone: true })
    const other = await goLive(it)
    await pass(600)
    const before = reports(it).length
    reports(it).at(-1)?.answer(done())
    it.streams.at(-1)?.send('change', { change: { ...row(12, 1), prompt: 'another' } })
    await pass(5_000)
    expect(reports(it)).toHaveLength(before)
    other.stop()
  })
})

describe('what is left behind', () => {
  it('no timer after a stop', async () => {
    const it = world({ report: { app: 'web' } })
    const following = await goLive(it)
    following.stop()
    await settle()
    await vi.advanceTimersByTimeAsync(30_000) // of the last report
    await settle()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('no timer after a stop while everything is asked for', async () => {
    const it = world()
    await it.load()
    const following = await goLive(it)
    await untilCheck()
    following.stop()
    await pass(2 * TTL_MS)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('no listener of a sleep or a connection on a signal that lives on', async () => {
    const { signal } = new AbortController()
    const fetch = (async () =>
      new Response('event: hello\ndata: {}\n\n', {
        headers: { 'content-type': 'text/event-stream' },
      })) as typeof globalThis.fetch
    const connection = { address: 'http://registry.test', scope: '', headers: {} }
    for (let i = 0; i < 100; i++) {
      const slept = sleep(1, signal)
      await vi.advanceTimersByTimeAsync(1)
      await slept
      await expect(
        (async () => {
          for await (const _ of openStream({ connection, fetch, signal }, undefined));
        })(),
      ).rejects.toThrow(/cannot be heard/)
    }
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    expect(vi.getTimerCount()).toBe(0)
  })
})
