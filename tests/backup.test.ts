import { execFile } from 'node:child_process'
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { chmod, cp, mkdtemp, realpath, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Change, digestOf, silent, TAG } from '@promptkeep/client/protocol'
import { BackupError, backUp, openStore, readConfig, restore, type Store, start } from '@promptkeep/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openSqlite } from '../packages/sql/src/sqlite.ts'
import { held, replayed, wholeLog } from './support/audit.ts'
import { spawnSource } from './support/spawn-source.ts'

const bin = fileURLToPath(new URL('../packages/cli/bin/promptkeep.js', import.meta.url))

async function folder(): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'promptkeep-backup-')))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

function promptkeep(cwd: string, ...args: string[]) {
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
    const child = execFile(process.execPath, [bin, ...args], { cwd, env }, (_, out, err) =>
      resolve({ code: child.exitCode, out, err }),
    )
  })
}

const author = { actor: 'ada', roles: ['admin'] } as const
const text = (version: number) => `text ${version}`

/** Registers a version and points production at it. */
async function write(store: Store, name = 'memory') {
  await store.prompts.create({ name, description: '', tags: { [TAG.isPrompt]: 'true' } }).catch(() => {})
  const known = (await store.prompts.get(name)).latestVersions.at(-1)?.version ?? 0
  const tags = { [TAG.isPrompt]: 'true', [TAG.text]: text(known + 1) }
  const digest = await digestOf({ template: text(known + 1) })
  const draft = { name, source: 'x', runId: '', runLink: '', description: '', tags, digest }
  const { version } = await store.versions.create(draft, author)
  return store.aliases.move({ name, alias: 'production', to: version, ...author })
}

/** A database with so many changes; closed, complete in its one file. */
async function databaseWith(dir: string, writes: number, name = 'registry.db') {
  const store = await openStore(`sqlite:${join(dir, name)}`)
  for (let i = 0; i < writes; i++) await write(store)
  const log = await wholeLog(store)
  await store.close()
  return { file: join(dir, name), log }
}

async function logOf(file: string): Promise<Change[]> {
  const store = await openStore(`sqlite:${file}`)
  try {
    return await wholeLog(store)
  } finally {
    await store.close()
  }
}

describe('a backup', { timeout: 120_000 }, () => {
  it('that is taken while four processes write restores to exactly the changes up to its seq', async () => {
    const dir = await folder()
    const database = join(dir, 'registry.db')
    const written: number[] = []
    const writers = ['ada', 'grace', 'edsger', 'barbara'].map((actor, i) => {
      const writer = spawnSource('store-writer.ts', [`sqlite:${database}`, actor])
      written[i] = 0
      writer.stdout.setEncoding('utf8').on('data', (said: string) => {
        written[i] = (written[i] ?? 0) + said.split('\n').length - 1
      })
      const ended = new Promise((resolve) => writer.once('close', resolve))
      return { writer, ended }
    })
    const stop = async () => {
      for (const { writer } of writers) writer.kill('SIGKILL')
      await Promise.all(writers.map(({ ended }) => ended))
    }
    onTestFinished(stop)
    const all = () => written.reduce((sum, count) => sum + count, 0)
    await expect.poll(() => Math.min(...written), { timeout: 60_000 }).toBeGreaterThan(10)

    const backups: { file: string; seq: number }[] = []
    for (let round = 0; round < 3; round++) {
      const before = all()
      const { code, out, err } = await promptkeep(
        dir,
        'backup',
        '--database',
        `sqlite:${database}`,
        '--json',
        '--to',
        `${round}.db`,
      )
      expect([code, err]).toEqual([0, ''])
      const made = JSON.parse(out) as { file: string; seq: number; bytes: number }
      expect(made).toMatchObject({ file: join(dir, `${round}.db`), bytes: (await stat(made.file)).size })
      // What was acknowledged before it began is in it.
      expect(made.seq).toBeGreaterThanOrEqual(before)
      backups.push(made)
      await expect.poll(all, { timeout: 60_000 }).toBeGreaterThan(made.seq + 10) // and writing went on
    }
    await stop()

    const whole = await logOf(database)
    for (const { file, seq } of backups) {
      const target = join(dir, `restored-${seq}.db`)
      expect(await restore(file, `sqlite:${target}`)).toMatchObject({ file: target, seq })
      const store = await openStore(`sqlite:${target}`)
      const log = await wholeLog(store)
      expect(log).toEqual(whole.slice(0, seq))
      expect(log.at(-1)?.seq).toBe(seq)
      expect(await held(store)).toEqual(replayed(log)) // digests are of the texts that are there
      // And the next change gets the next number.
      expect((await write(store, 'after')).seq).toBe(seq + 2)
      await store.close()
    }
  })

  it('is taken from beside a running server, and holds what that has not moved to its main file', async () => {
    const dir = await folder()
    const { file } = await databaseWith(dir, 1)
    const server = await start(readConfig({ PORT: '0', DATABASE_URL: `sqlite:${file}` }), silent)
    onTestFinished(() => server.stop())
    const post = (path: string, body: object) =>
      fetch(`${server.url}/api/2.0/mlflow/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    expect((await post('registered-models/alias', { name: 'memory', alias: 'b', version: '1' })).status).toBe(
      200,
    )
    const { code, out } = await promptkeep(dir, 'backup', '--database', `sqlite:${file}`)
    expect(code).toBe(0)
    expect(out).toMatch(/registry\.db\.20[0-9TZ-]+\.backup: [\d.]+ kB, all changes up to 3\n$/)
    const refused = await promptkeep(
      dir,
      'restore',
      out.split(':')[0] ?? '',
      '--force',
      '--database',
      `sqlite:${file}`,
    )
    expect(refused.code).toBe(2)
    expect(refused.err).toContain(server.url)
    expect(await (await fetch(`${server.url}/ready`)).json()).toMatchObject({ status: 'ready' })
  })

  it('overwrites nothing, leaves no half file, and may be read by whom the database may', async () => {
    const dir = await folder()
    const { file } = await databaseWith(dir, 2)
    await chmod(file, 0o600)
    const to = join(dir, 'backup.db')
    const made = await backUp(`sqlite:${file}`, { to })
    expect(made).toMatchObject({ file: to, seq: 4 })
    expect((await stat(to)).mode & 0o777).toBe(0o600)
    const before = readFileSync(to)
    await expect(backUp(`sqlite:${file}`, { to })).rejects.toThrow(`${to} is there already`)
    expect(readFileSync(to)).toEqual(before)
    await expect(backUp(`sqlite:${file}`, { to: join(dir, 'no', 'b.db') })).rejects.toThrow(
      /there is no folder/,
    )
    await expect(backUp(`sqlite:${join(dir, 'typo.db')}`, { to: join(dir, 'b.db') })).rejects.toThrow(
      /no database/,
    )
    await expect(backUp(`sqlite:${join(dir, 'typo', 'r.db')}`)).rejects.toThrow(/no database/)
    await expect(backUp('sqlite::memory:')).rejects.toThrow(/in memory/)
    const postgres = backUp('postgres://ada:secret@db/prompts')
    await expect(postgres).rejects.toThrow(/pg_dump/)
    await expect(postgres).rejects.not.toThrow(/secret/)
    expect(readdirSync(dir).sort()).toEqual(['backup.db', 'registry.db'])
  })

  it('of a damaged database is refused, and says so', async () => {
    const dir = await folder()
    const { file } = await databaseWith(dir, 40)
    damage(file)
    await expect(backUp(`sqlite:${file}`, { to: join(dir, 'b.db') })).rejects.toThrow(/damaged/)
    expect(existsSync(join(dir, 'b.db'))).toBe(false)
  })
})

/** Fills the pages in the middle of a database with noise. */
function damage(file: string) {
  const bytes = readFileSync(file)
  writeFileSync(file, bytes.fill(0xa5, 4096 * 4, bytes.length - 4096))
}

describe('a restore', { timeout: 60_000 }, () => {
  it('replaces a database only when told to, and keeps it aside with all that it held', async () => {
    const dir = await folder()
    const { file, log } = await databaseWith(dir, 3)
    const backup = await backUp(`sqlite:${file}`, { to: join(dir, 'backup.db') })
    // A database as a crash leaves it: its last changes are in its log only.
    const store = await openStore(`sqlite:${file}`)
    await write(store)
    const crashed = join(dir, 'crashed.db')
    for (const part of ['', '-wal']) await cp(`${file}${part}`, `${crashed}${part}`)
    await store.close()

    const refused = await promptkeep(dir, 'restore', 'backup.db', '--database', `sqlite:${crashed}`)
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('--force') })
    const done = await promptkeep(
      dir,
      'restore',
      'backup.db',
      '--database',
      `sqlite:${crashed}`,
      '--force',
      '--json',
    )
    const { replaced, seq } = JSON.parse(done.out) as { replaced: string; seq: number }
    expect([done.code, seq, basename(replaced)]).toEqual([
      0,
      6,
      expect.stringMatching(/^crashed\.db\..*\.replaced$/),
    ])
    expect(await logOf(crashed)).toEqual(log)
    expect(await logOf(replaced)).toHaveLength(8)
    expect(await logOf(backup.file)).toEqual(log) // the backup is as it was
  })

  it('takes the place of a damaged database', async () => {
    const dir = await folder()
    const { file, log } = await databaseWith(dir, 40)
    const backup = await backUp(`sqlite:${file}`, { to: join(dir, 'backup.db') })
    damage(file)
    const { replaced } = await restore(backup.file, `sqlite:${file}`, { force: true })
    expect(await logOf(file)).toEqual(log)
    expect(existsSync(replaced ?? '')).toBe(true)
  })

  it.each<[string, (backup: string) => unknown, RegExp]>([
    ['is damaged', damage, /damaged/],
    ['is cut off', async (file) => truncate(file, (await stat(file)).size - 5000), /damaged/],
    ['is no database', (file) => writeFileSync(file, 'hello '.repeat(1000)), /not a SQLite database/],
    ['is empty', (file) => writeFileSync(file, ''), /not a SQLite database/],
    ['is in use', (file) => appendFileSync(`${file}-wal`, 'x'), /a database in use, not a backup/],
    ["is another program's", (file) => sqlOn(file, 'drop table migrations'), /another program/],
    [
      'is of a newer version',
      (file) => sqlOn(file, "insert into migrations values (999, 'x', 'x', 0)"),
      /newer/,
    ],
    ['lost a change', (file) => sqlOn(file, 'delete from changes where seq = 80'), /ends with change 79/],
    ['lost a row that others speak of', (file) => sqlOn(file, 'delete from models'), /damaged/],
  ])('refuses a backup that %s, and touches nothing', async (_, spoil, message) => {
    const dir = await folder()
    const { file, log } = await databaseWith(dir, 40)
    const backup = join(dir, 'backup.db')
    await backUp(`sqlite:${file}`, { to: backup })
    await spoil(backup)
    const before = readdirSync(dir)
    const refused = restore(backup, `sqlite:${file}`, { force: true })
    await expect(refused).rejects.toBeInstanceOf(BackupError)
    await expect(refused).rejects.toThrow(message)
    expect(readdirSync(dir)).toEqual(before)
    expect(await logOf(file)).toEqual(log)
  })
})

function sqlOn(file: string, statement: string) {
  const connection = openSqlite({ path: file })
  connection.run('pragma foreign_keys = OFF')
  connection.run(statement)
  connection.run('pragma wal_checkpoint(TRUNCATE)')
  connection.close()
}
