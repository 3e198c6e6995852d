import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silent, TAG } from '@promptkeep/client/protocol'
import { readConfig, start } from '@promptkeep/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../packages/server/src/app.ts'
import { openStore } from '../packages/server/src/store/open-store.ts'
import { openSqlite } from '../packages/sql/src/sqlite.ts'

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-faults-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly headers: Headers
}

/** A server on a file, with what it logged from `warn` up. */
async function serverOn(file: string, { now = Date.now } = {}) {
  const store = await openStore(`sqlite:${file}`, { now })
  onTestFinished(() => store.close().catch(() => {}))
  const logged: { event: string; fields: object }[] = []
  const note = (fields: object, event: string) => void logged.push({ event, fields })
  const log = { ...silent, warn: note, error: note }
  let ids = 0
  const app = createApp({
    store,
    log,
    newId: () => `id-${++ids}`,
    elapsedMs: () => performance.now(),
    random: () => 0,
    now,
  })
  const ask = async (method: string, path: string, body?: object): Promise<Answer> => {
    const init = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const answer = await app.request(path, { method, ...init })
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Answer['body'] }
  }
  const mlflow = '/api/2.0/mlflow'
  return {
    store,
    logged,
    seed: (name: string, template = 'Hi') =>
      ask('POST', '/api/promptkeep/1.0/seed', { name, alias: 'production', template }),
    move: (name: string, alias: string) =>
      ask('POST', '/api/promptkeep/1.0/alias', { name, alias, version: 1 }),
    look: (name: string, alias = 'production') =>
      ask('GET', `${mlflow}/registered-models/alias?name=${name}&alias=${alias}`),
    history: (name: string) => ask('GET', `/api/promptkeep/1.0/changes?prompt=${name}&limit=1000`),
    ask,
  }
}

function sqlOn(file: string, ...statements: string[]) {
  const connection = openSqlite({ path: file })
  connection.run('pragma foreign_keys = OFF')
  for (const statement of statements) connection.run(statement)
  connection.close()
}

const unavailable = (reason: string) => ({
  status: 503,
  body: { error_code: 'TEMPORARILY_UNAVAILABLE', message: expect.stringContaining(reason) },
})

/** A small disk of its own, as only root can make one. */
const smallDisk = mountSkip()
function mountSkip(): string {
  const dir = join(tmpdir(), `promptkeep-mount-${process.pid}`)
  try {
    execFileSync('mkdir', ['-p', dir])
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir], { stdio: 'ignore' })
    execFileSync('umount', [dir])
    return ''
  } catch {
    return '(skipped: this account may not mount a tmpfs)'
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function disk(size: string): Promise<{ dir: string; remount(options: string): void }> {
  const dir = join(await folder(), 'disk')
  await mkdir(dir)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dir])
  onTestFinished(() => void execFileSync('umount', ['-l', dir]))
  return { dir, remount: (options) => void execFileSync('mount', ['-o', `remount,${options}`, dir]) }
}

describe.skipIf(smallDisk)(`the disk ${smallDisk}`.trim(), { timeout: 60_000 }, () => {
  it('is full: 503, nothing that was acknowledged is lost, and it works again once there is room', async () => {
    const { dir, remount } = await disk('2m')
    const server = await serverOn(join(dir, 'registry.db'))
    const kept: string[] = []
    let full: Answer | undefined
    for (let i = 0; i < 200 && !full; i++) {
      const answer = await server.seed(`p${i}`, `${i} ${'x'.repeat(20_000)}`)
      if (answer.status === 200) kept.push(`p${i}`)
      else full = answer
    }
    expect(full).toMatchObject(unavailable('The database cannot be used now: the '))
    expect(full?.headers.get('retry-after')).toBe('1')
    expect(kept.length).toBeGreaterThan(10)
    expect(server.logged.at(-1)).toMatchObject({ event: 'database.unavailable' })

    for (const name of kept) expect((await server.look(name)).status, name).toBe(200)
    remount('size=16m')
    expect((await server.seed('after')).status).toBe(200)
    for (const name of kept) expect((await server.look(name)).status, name).toBe(200)
    const log = await server.store.changes.after(0, 1000)
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, i) => i + 1))
    const registered = log.filter(({ kind }) => kind === 'version.registered')
    expect(registered.map(({ prompt }) => prompt)).toEqual([...kept, 'after'])
  })
})

describe('a clock', () => {
  it('that is set back an hour never makes the log go back', async () => {
    let at = Date.parse('2026-11-22T12:00:00Z')
    const server = await serverOn(join(await folder(), 'registry.db'), { now: () => at })
    await server.seed('memory')
    at += 60_000
    const last = at
    await server.move('memory', 'b')
    at -= 3_600_000
    await server.move('memory', 'c')
    at += 1000
    await server.move('memory', 'd')
    const log = await server.store.changes.after(0, 100)
    const times = log.map((change) => change.at)
    expect(times).toEqual([...times].sort((a, b) => Number(a) - Number(b)))
    expect(times.slice(-3)).toEqual([last, last, last])
    const then = `/api/promptkeep/1.0/resolve?names=memory&alias=d,c,b&at=`
    expect(await server.ask('GET', `${then}${last}`)).toMatchObject({
      status: 200,
      body: { prompts: [{ name: 'memory', alias: 'd', version: 1 }] },
    })
    expect((await server.ask('GET', `${then}${last - 1}`)).body).toMatchObject({
      missing: [{ name: 'memory', code: 'ALIAS_NOT_FOUND' }],
    })
  })
})

describe('a row that was damaged', () => {
  it('is one error for who asks for it, and the others are as they were', async () => {
    const file = join(await folder(), 'registry.db')
    const server = await serverOn(file)
    for (const name of ['good', 'bad']) expect((await server.seed(name, `I am ${name}`)).status).toBe(200)
    const removed = { method: 'DELETE', path: '/api/2.0/mlflow/registered-models/delete' }
    for (const name of ['good', 'bad'])
      expect((await server.ask(removed.method, removed.path, { name })).status).toBe(200)
    const at = Number((await server.store.changes.after(0, 100))[3]?.at)
    sqlOn(file, `update archived_versions set record = '{"name": "bad", ' where record like '%I am bad%'`)

    const ask = (names: string) =>
      server.ask('GET', `/api/promptkeep/1.0/resolve?names=${names}&alias=production&at=${at}`)
    const damaged = await ask('bad')
    expect(damaged.status).toBe(500)
    expect(damaged.body).toMatchObject({
      error_code: 'INTERNAL_ERROR',
      message: expect.stringMatching(/id id-\d+\.$/),
    })
    expect(JSON.stringify(damaged.body)).not.toMatch(/JSON|SyntaxError|\.ts/)
    expect(server.logged.at(-1)).toMatchObject({
      event: 'request.failed',
      fields: { requestId: expect.stringMatching(/^id-/), err: { stack: expect.stringContaining('.ts') } },
    })
    expect(await ask('good')).toMatchObject({
      status: 200,
      body: { prompts: [{ name: 'good', version: 1 }] },
    })
    expect((await server.seed('bad')).status).toBe(200) // and the name can be used again
  })

  it('whose text is not what its digest says is seen by who reads it; the server answers what it has', async () => {
    const file = join(await folder(), 'registry.db')
    const server = await serverOn(file)
    for (const name of ['good', 'bad']) await server.seed(name, `I am ${name}`)
    sqlOn(file, `delete from version_tags where value = '"I am bad"' or value = 'I am bad'`)
    const { status, body } = await server.look('bad')
    const tags = (body.model_version as { tags: { key: string; value: string }[] }).tags
    expect([status, tags.some(({ key }) => key === TAG.text)]).toEqual([200, false])
    expect(tags.find(({ key }) => key === TAG.digest)?.value).toMatch(/^[0-9a-f]{64}$/)
    expect(await server.look('good')).toMatchObject({ status: 200 })
  })
})

describe('a file that was damaged', () => {
  it('is told as such, by 500 and in the log; nothing wrong is answered, and the server lives', async () => {
    const file = join(await folder(), 'registry.db')
    const before = await serverOn(file)
    for (let i = 0; i < 60; i++) await before.seed(`p${i}`, `text ${i} ${'x'.repeat(500)}`)
    const truth = new Map<string, string>()
    for (let i = 0; i < 60; i++) truth.set(`p${i}`, JSON.stringify((await before.look(`p${i}`)).body))
    await before.store.close()
    const bytes = readFileSync(file)
    const page = bytes.readUInt16BE(16)
    const root = rootOf(file, 'version_tags')
    writeFileSync(file, bytes.fill(0x5a, (root - 1) * page, root * page))

    const server = await serverOn(file)
    let damaged = 0
    for (const [name, was] of truth) {
      const { status, body } = await server.look(name)
      if (status === 200) expect(JSON.stringify(body)).toBe(was)
      else {
        damaged++
        expect(status).toBe(500)
        expect(body).toEqual({
          error_code: 'INTERNAL_ERROR',
          message: 'The SQLite file is damaged: restore a backup. Nothing was answered from it.',
          sqlstate: 'XXM00',
          error_class: 'INTERNAL_ERROR',
        })
      }
    }
    expect(damaged).toBeGreaterThan(0)
    expect(server.logged.at(-1)).toMatchObject({ event: 'database.damaged' })
    expect((await server.history('p1')).status).toBe(200) // what is whole goes on
  })
})

function rootOf(file: string, table: string): number {
  const connection = openSqlite({ path: file })
  const [row] = connection.run('select rootpage from sqlite_master where name = ?', [table]).rows
  connection.close()
  return Number(row?.rootpage)
}

describe('a lock that another process holds', () => {
  it('is 503 for writes, and the metrics and look-ups go on', async () => {
    const file = join(await folder(), 'registry.db')
    const server = await start(readConfig({ PORT: '0', DATABASE_URL: `sqlite:${file}` }), silent)
    onTestFinished(() => server.stop())
    const other = openSqlite({ path: file })
    onTestFinished(() => other.close())
    other.run('begin immediate')
    const seed = () =>
      fetch(`${server.url}/api/promptkeep/1.0/seed`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'memory', alias: 'production', template: 'Hi' }),
      })
    const [answer, ready, metrics] = await Promise.all([
      seed(),
      fetch(`${server.url}/ready`),
      fetch(`${server.url}/metrics`).then((scraped) => scraped.text()),
    ])
    expect([answer.status, ready.status]).toEqual([503, 200])
    expect(metrics).toContain('\npromptkeep_database_up 1\n')
    other.run('rollback')
    expect((await seed()).status).toBe(200)
  }, 30_000)
})
