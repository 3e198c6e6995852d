import { type ChildProcess, spawn } from 'node:child_process'
import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { silent } from '@promptkeep/client/protocol'
import { createLog, openTokens, readConfig, StartError, start } from '@promptkeep/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { takeLock } from '../packages/server/src/lock-file.ts'
import { ownIdentity } from '../packages/server/src/process-identity.ts'
import { bearer, startTokenRegistry } from './support/token-registry.ts'

const bin = fileURLToPath(new URL('../packages/cli/bin/promptkeep.js', import.meta.url))

async function folder(): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'promptkeep-operations-')))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** A server of this process. */
async function startOn(database: string) {
  const server = await start(readConfig({ PORT: '0', DATABASE_URL: `sqlite:${database}` }), silent)
  onTestFinished(() => server.stop())
  return server
}

interface Served {
  readonly child: ChildProcess
  /** Its exit code, or the URL on which it listens. */
  readonly outcome: Promise<number | string | null>
  readonly ended: Promise<number | null>
  said(): string
}

/** The command in a process of its own. */
function serve(database: string, cwd: string): Served {
  const child = spawn(process.execPath, [bin, 'serve', '--port', '0', '--database', `sqlite:${database}`], {
    cwd,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const listening = new Promise<string>((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const url = /listening on (http:\/\/\S+)/.exec(said)?.[1]
      if (url !== undefined) resolve(url)
    })
  })
  return { child, outcome: Promise.race([ended, listening]), ended, said: () => said }
}

const lockOf = (database: string) => JSON.parse(readFileSync(`${database}.lock`, 'utf8'))

describe('one server a SQLite file', { timeout: 60_000 }, () => {
  it('a second one is told of the first, under any name of the file; the next one may have it', async () => {
    const dir = await folder()
    const database = join(dir, 'registry.db')
    const first = await startOn(database)
    expect(lockOf(database)).toMatchObject({ pid: process.pid, url: first.url, since: expect.any(Number) })

    await mkdir(join(dir, 'sub'))
    symlinkSync(database, join(dir, 'link.db'))
    symlinkSync(dir, join(dir, 'sub', 'folder'))
    for (const name of ['registry.db', 'sub/../registry.db', 'link.db', 'sub/folder/registry.db', database]) {
      const second = serve(name, dir)
      expect(await second.outcome, name).toBe(2)
      expect(second.said()).toContain(`process ${process.pid} on `)
      expect(second.said()).toContain(`${first.url}, since 20`)
      expect(second.said().trimEnd().split('\n')).toHaveLength(1)
    }
    await first.stop()
    expect(existsSync(`${database}.lock`)).toBe(false)
    expect(await serve('link.db', dir).outcome).toMatch(/^http/)
  })

  it('a link to a file that is not there yet is that file', async () => {
    const dir = await folder()
    symlinkSync(join(dir, 'registry.db'), join(dir, 'link.db'))
    await startOn(join(dir, 'link.db'))
    await expect(startOn(join(dir, 'registry.db'))).rejects.toBeInstanceOf(StartError)
  })

  it('one that was killed holds nothing: the next start takes over at once', async () => {
    const dir = await folder()
    const killed = serve('registry.db', dir)
    expect(await killed.outcome).toMatch(/^http/)
    killed.child.kill('SIGKILL')
    await killed.ended
    const left = lockOf(join(dir, 'registry.db'))
    expect(left.pid).toBe(killed.child.pid)
    const next = serve('registry.db', dir)
    expect(await next.outcome).toMatch(/^http/)
    expect(lockOf(join(dir, 'registry.db'))).toMatchObject({ pid: next.child.pid })
  })

  it('of many that start at once on what a dead one left, exactly one wins', async () => {
    const dir = await folder()
    const database = join(dir, 'registry.db')
    const dead = { ...(await ownIdentity()), startTime: 'long ago', id: 'dead', what: 'A server', since: 0 }
    for (let round = 0; round < 25; round++) {
      writeFileSync(`${database}.lock`, JSON.stringify(dead))
      // A taker that died on the way is no hindrance either.
      if (round % 3 === 0)
        writeFileSync(`${database}.lock.takeover`, JSON.stringify({ ...dead, id: 'dead, too' }))
      const tries = await Promise.allSettled(
        Array.from({ length: 8 }, () => takeLock(database, { what: 'A server', now: Date.now })),
      )
      const won = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      const lost = tries.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
      expect(lost.map(({ name }) => name)).toEqual(Array(7).fill('LockHeld'))
      expect(won).toHaveLength(1)
      await won[0]?.release()
      expect(readdirSync(dir)).toEqual([])
    }
  })

  it('of servers that start at once, exactly one wins', async () => {
    const dir = await folder()
    const all = [1, 2, 3, 4].map(() => serve('registry.db', dir))
    const outcomes = await Promise.all(all.map(({ outcome }) => outcome))
    expect(outcomes.filter((one) => typeof one === 'string')).toHaveLength(1)
    expect(outcomes.filter((one) => one === 2)).toHaveLength(3)
  })

  it('a process that got the number of the dead one is not taken for it', async () => {
    const database = join(await folder(), 'registry.db')
    const own = await ownIdentity()
    const lock = { ...own, id: 'x', what: 'A server', since: 0 }
    writeFileSync(`${database}.lock`, JSON.stringify(lock))
    await expect(startOn(database)).rejects.toThrow(`process ${process.pid} on`)
    writeFileSync(`${database}.lock`, JSON.stringify({ ...lock, startTime: `${own.startTime}0` }))
    const server = await startOn(database)
    expect(lockOf(database)).toMatchObject({ ...own, url: server.url })
  })

  it('one of another machine counts until its lock was not touched for a minute', async () => {
    const database = join(await folder(), 'registry.db')
    const holder = {
      ...(await ownIdentity()),
      host: 'elsewhere',
      pid: 1,
      id: 'x',
      what: 'A server',
      since: 0,
    }
    writeFileSync(`${database}.lock`, JSON.stringify(holder))
    await expect(startOn(database)).rejects.toThrow(/process 1 on elsewhere.* try again in \d+ s/)
    const old = (Date.now() - 61_000) / 1000
    utimesSync(`${database}.lock`, old, old)
    await startOn(database)
  })

  it('a lock that nobody can read counts for a minute', async () => {
    const database = join(await folder(), 'registry.db')
    writeFileSync(`${database}.lock`, '{"pid": 1')
    await expect(startOn(database)).rejects.toBeInstanceOf(StartError)
    utimesSync(`${database}.lock`, 0, 0)
    await startOn(database)
  })

  it.each(['yesterday', 1e300, null, {}])('a lock since %j is told like any other', async (since) => {
    const database = join(await folder(), 'registry.db')
    const holder = { ...(await ownIdentity()), id: 'x', what: 'A server', since }
    writeFileSync(`${database}.lock`, JSON.stringify(holder))
    await expect(startOn(database)).rejects.toThrow(/A server \(process \d+ on .*, since an unknown time\)/)
  })

  it('a file with a second name is served under none of them, save what a killed restore put aside', async () => {
    const dir = await folder()
    const database = join(dir, 'registry.db')
    await (await startOn(database)).stop()
    linkSync(database, join(dir, 'registry.db.20260101T000000Z.replaced'))
    const first = await startOn(database)
    linkSync(database, join(dir, 'other.db'))
    const second = serve('other.db', dir)
    expect(await second.outcome).toBe(2)
    expect(second.said()).toMatch(/other\.db has 3 names \(hard links\).* remove all but one/)
    expect(existsSync(join(dir, 'other.db.lock'))).toBe(false)
    await first.stop()
    await expect(startOn(database)).rejects.toThrow(/3 names/)
    rmSync(join(dir, 'other.db'))
    await startOn(database)
  })

  it('a start that fails leaves none; memory has none; tokens are made beside a server', async () => {
    const dir = await folder()
    const database = join(dir, 'registry.db')
    const open = readConfig({ HOST: '0.0.0.0', PORT: '0', DATABASE_URL: `sqlite:${database}` })
    await expect(start(open, silent)).rejects.toThrow(/no tokens/)
    expect(existsSync(`${database}.lock`)).toBe(false)
    for (let i = 0; i < 2; i++) {
      const inMemory = await start(readConfig({ PORT: '0', DATABASE_URL: 'sqlite::memory:' }), silent)
      onTestFinished(() => inMemory.stop())
    }
    await startOn(database)
    const tokens = await openTokens(`sqlite:${database}`)
    await tokens.create({ name: 'ada', roles: ['admin'] })
    await tokens.close()
  })
})

describe('the log', () => {
  it('has an id of the request and of what it is a part of in every line, and who asked', async () => {
    const lines: Record<string, unknown>[] = []
    const log = createLog('info', { write: (line) => void lines.push(JSON.parse(line)) })
    const registry = await startTokenRegistry({}, log)
    onTestFinished(() => registry.stop())
    const headers = {
      ...bearer(registry.tokens.writer),
      'content-type': 'application/json',
      'x-correlation-id': 'chat-7',
      'x-request-id': 'mine',
    }
    const post = (path: string, body: object) =>
      fetch(`${registry.url}/api/promptkeep/1.0/${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      })
    expect((await post('seed', { name: 'memory', alias: 'production', template: 'Hi' })).status).toBe(200)
    const move = { name: 'memory', alias: 'b', version: 1, request_id: 'r-1' }
    const [first, again] = [await post('alias', move), await post('alias', move)]
    expect(await again.json()).toEqual(await first.json())
    const ids = [first, again].map(({ headers }) => headers.get('x-request-id'))
    expect(new Set([...ids, 'mine']).size).toBe(3)
    expect(first.headers.get('x-correlation-id')).toBe('chat-7')

    const told = lines.filter(({ event }) => event === 'alias.moved')
    expect(told).toMatchObject([{ requestId: ids[0], correlationId: 'chat-7', alias: 'b', actor: 'writer' }])
    const completed = lines.filter(({ event }) => event === 'request.completed')
    expect(completed.map(({ requestId }) => requestId)).toEqual(expect.arrayContaining(ids))
    for (const line of completed)
      expect(line).toMatchObject({ correlationId: 'chat-7', actor: 'writer', status: 200 })

    const stranger = await fetch(`${registry.url}/metrics`)
    expect(stranger.status).toBe(401)
    const scraped = await fetch(`${registry.url}/metrics`, { headers: bearer(registry.tokens.reader) })
    const text = await scraped.text()
    expect(text).toContain('promptkeep_http_refused_total{reason="unauthenticated"} 1')
    expect(text).toMatch(/^promptkeep_process_resident_memory_bytes \d+/m)
    expect(text).toMatch(/^promptkeep_change_seq 3$/m)
  })
})
