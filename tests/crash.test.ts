import { copyFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore } from '../packages/server/src/store/open-store.ts'
import { ANYBODY } from '../packages/server/src/store/store.ts'
import { openSqlite } from '../packages/sql/src/sqlite.ts'
import { held, replayed, wholeLog } from './support/audit.ts'
import { spawnSource } from './support/spawn-source.ts'
import type { Acknowledged } from './support/store-writer.ts'

const ROUNDS = 20

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'promptkeep-crash-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Starts a writer and ends it with SIGKILL once it acknowledged `count` writes. @returns All that it acknowledged. */
async function writeUntilKilled(database: string, count: number): Promise<Acknowledged[]> {
  const writer = spawnSource('store-writer.ts', [`sqlite:${database}`, 'writer'])
  let printed = ''
  let complaints = ''
  let lines = 0
  writer.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  writer.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
    lines += text.split('\n').length - 1
    if (lines >= count) writer.kill('SIGKILL')
  })
  const signal = await new Promise((resolve) => writer.once('close', (_, signal) => resolve(signal)))
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself:\n${complaints}`)
  // A last line without its end was not acknowledged.
  const whole = printed.slice(0, printed.lastIndexOf('\n') + 1)
  return whole
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Acknowledged)
}

/** The database as a crash left it, under another name. */
function copyOf(database: string, name: string): string {
  const copy = `${database}-${name}`
  for (const part of ['', '-wal', '-shm'])
    if (existsSync(database + part)) copyFileSync(database + part, copy + part)
  return copy
}

/** Opens the database and proves that all of `written` is there, and nothing is there by half. */
async function expectWhole(database: string, written: readonly Acknowledged[]) {
  const store = await openStore(`sqlite:${database}`)
  try {
    const log = await wholeLog(store)
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1))
    const writes = log.map(({ kind, prompt, to }) => ({ kind, prompt, version: to }))
    expect(writes.slice(0, written.length)).toEqual(
      written.map(({ kind, prompt, version }) => ({ kind, prompt, version })),
    )
    const state = await held(store)
    if (log.length > 0) expect(state).toEqual(replayed(log))
    // And it takes the next write, which gets the next number.
    const next = await store.aliases.move({
      name: 'shared',
      alias: 'after',
      to: 1,
      ...ANYBODY,
      actor: 'test',
    })
    expect(next.seq).toBe(log.length + 1)
    return log.length
  } finally {
    await store.close()
    const connection = openSqlite({ path: database })
    expect(connection.run('pragma integrity_check').rows).toEqual([{ integrity_check: 'ok' }])
    connection.close()
  }
}

describe('a crash', () => {
  it(`loses no acknowledged write and keeps half of none: ${ROUNDS} kills, ${ROUNDS} torn logs`, async () => {
    let lost = 0
    for (let round = 0; round < ROUNDS; round++) {
      await mkdir(join(folder, `round-${round}`))
      const database = join(folder, `round-${round}`, 'registry.db')
      const written = await writeUntilKilled(database, 2 + 3 * round)
      await expectWhole(copyOf(database, 'killed'), written)

      // A power cut leaves the end of the log unwritten. Nothing was moved to the main file yet (that would start
      // the log anew), so whatever was acknowledged by then lies in the log before the place of the tear.
      const sizes = written.map(({ walBytes }) => walBytes)
      expect(sizes).toEqual([...sizes].sort((a, b) => a - b))
      const torn = copyOf(database, 'torn')
      const [from = 0, to = 0] = [sizes[0], readFileSync(`${torn}-wal`).length]
      const place = from + Math.floor(((to - from) * ((round * 7) % ROUNDS)) / ROUNDS) + (round % 2 ? 0 : 100)
      if (round % 2 === 0) truncateSync(`${torn}-wal`, place)
      else zeroFrom(`${torn}-wal`, place)
      const before = written.filter(({ walBytes }) => walBytes <= place)
      lost += Math.max(0, written.length - (await expectWhole(torn, before)))
    }
    expect(lost).toBeGreaterThan(ROUNDS) // the tears did tear
  }, 180_000)

  it('loses nothing either where the log was moved to the main file in between', async () => {
    const database = join(folder, 'long.db')
    const written = await writeUntilKilled(database, 1500)
    const sizes = written.map(({ walBytes }) => walBytes)
    expect(new Set(sizes).size).toBeLessThan(sizes.length) // it was: the log stopped growing
    await expectWhole(database, written)
  }, 60_000)
})

function zeroFrom(file: string, place: number) {
  const bytes = readFileSync(file)
  writeFileSync(file, bytes.fill(0, place))
}
