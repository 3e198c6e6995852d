import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Migration } from './migrate.ts'
import { openDatabase } from './open.ts'
import { openSqlite } from './sqlite.ts'

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'promptkeep-open-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

const numbers: Migration = {
  number: 1,
  name: 'numbers',
  up: ({ types, tableOptions }) => [`create table numbers (n ${types.integer} not null) ${tableOptions}`],
}

interface Tables {
  numbers: { n: number }
}

async function opened(url: string) {
  const database = await openDatabase<Tables>(url, { migrations: [numbers] })
  onTestFinished(() => database.close())
  return database.db
}

const stored = async (db: Kysely<Tables>) =>
  (await db.selectFrom('numbers').select('n').orderBy('n').execute()).map(({ n }) => n)

describe('openDatabase', () => {
  it.each([
    ['nothing', ''],
    ['no scheme', './registry.db'],
    ['another scheme', 'mysql://localhost/x'],
    ['no file', 'sqlite:'],
    ['slashes that could mean two things', 'sqlite:///registry.db'],
    ['no Postgres URL', 'postgres://user:p%ss@localhost:5432/x'],
    ['no port', 'postgres://localhost:port/x'],
  ])('refuses a URL with %s', async (_, url) => {
    await expect(openDatabase(url, { migrations: [] })).rejects.toMatchObject({ code: 'INVALID_URL' })
  })

  it('makes the folder and the file', async () => {
    const path = join(await folder(), 'deep', 'er', 'a file?.db')
    await opened(`sqlite:${path}`)
    expect((await stat(path)).isFile()).toBe(true)
  })

  it.runIf(process.platform === 'linux')('says so where a folder cannot be made', async () => {
    await expect(openDatabase('sqlite:/proc/promptkeep/deep/a.db', { migrations: [] })).rejects.toMatchObject(
      {
        code: 'CANNOT_OPEN',
        message: expect.stringContaining('/proc/promptkeep'),
      },
    )
  })

  it('sets the pragmas on the connection that writes and on the one that reads', async () => {
    const db = await opened(`sqlite:${join(await folder(), 'a.db')}`)
    const columns = ['journal_mode', 'synchronous', 'timeout', 'foreign_keys', 'query_only'].map((name) =>
      sql.ref(name),
    )
    const pragmas = sql`select ${sql.join(columns)} from pragma_journal_mode, pragma_synchronous,
      pragma_busy_timeout, pragma_foreign_keys, pragma_query_only`
    const safe = { journal_mode: 'wal', synchronous: 2, timeout: 5000, foreign_keys: 1 }
    expect((await pragmas.execute(db)).rows).toEqual([{ ...safe, query_only: 1 }])
    const { rows } = await db.transaction().execute((tx) => pragmas.execute(tx))
    expect(rows).toEqual([{ ...safe, query_only: 0 }])
  })

  it('leaves one file behind, with everything in it', async () => {
    const path = join(await folder(), 'a.db')
    const database = await openDatabase<Tables>(`sqlite:${path}`, { migrations: [numbers] })
    await database.db.insertInto('numbers').values({ n: 7 }).execute()
    await database.close()
    await rm(`${path}-wal`, { force: true })
    await rm(`${path}-shm`, { force: true })
    expect(await stored(await opened(`sqlite:${path}`))).toEqual([7])
  })

  it('says which folder cannot be made', async () => {
    const file = join(await folder(), 'a-file')
    await writeFile(file, '')
    await expect(openDatabase(`sqlite:${file}/registry.db`, { migrations: [] })).rejects.toMatchObject({
      code: 'CANNOT_OPEN',
      message: expect.stringContaining(`Cannot make the database's folder ${file}`),
    })
  })

  it('says which file is no database, and leaves it as it is', async () => {
    const file = join(await folder(), 'notes.txt')
    await writeFile(file, 'not a database, '.repeat(100))
    await expect(openDatabase(`sqlite:${file}`, { migrations: [] })).rejects.toMatchObject({
      code: 'CANNOT_OPEN',
      message: expect.stringContaining(`${file}: file is not a database`),
    })
    expect((await stat(file)).size).toBe(1600)
  })

  it('says that a folder is no file', async () => {
    const path = await folder()
    await expect(openDatabase(`sqlite:${path}`, { migrations: [] })).rejects.toMatchObject({
      code: 'CANNOT_OPEN',
      message: `Cannot open the SQLite database ${path}: no file can be opened there`,
    })
  })

  const isRoot = process.getuid?.() === 0
  it.skipIf(isRoot)(
    `refuses what it may not write${isRoot ? ' (skipped: root may write everything)' : ''}`,
    async () => {
      const path = await folder()
      const file = join(path, 'a.db')
      await (await openDatabase(`sqlite:${file}`, { migrations: [] })).close()
      await chmod(file, 0o444)
      const refused = { code: 'CANNOT_OPEN', message: expect.stringContaining('EACCES') }
      await expect(openDatabase(`sqlite:${file}`, { migrations: [] })).rejects.toMatchObject(refused)
      await chmod(path, 0o555)
      await expect(openDatabase(`sqlite:${path}/b.db`, { migrations: [] })).rejects.toMatchObject(refused)
      await chmod(path, 0o755)
    },
  )

  it('says which Postgres does not answer, without the password', async () => {
    const error = await openDatabase('postgres://ada:secret@127.0.0.1:1/registry', { migrations: [] }).catch(
      (caught) => caught,
    )
    expect(error).toMatchObject({ code: 'CANNOT_OPEN' })
    expect(error.message).toMatch(/Postgres at 127\.0\.0\.1:1\/registry: .*ECONNREFUSED/)
    expect(error.message).not.toContain('secret')
  })

  it.each(['memory', 'file'])('takes turns: reads never see half a transaction (%s)', async (kind) => {
    const db = await opened(kind === 'memory' ? 'sqlite::memory:' : `sqlite:${join(await folder(), 'a.db')}`)
    let halfWay = () => {}
    const reached = new Promise<void>((resolve) => {
      halfWay = resolve
    })
    const write = db.transaction().execute(async (tx) => {
      await tx.insertInto('numbers').values({ n: 1 }).execute()
      halfWay()
      await tx.insertInto('numbers').values({ n: 2 }).execute()
      expect(await stored(tx)).toEqual([1, 2])
    })
    await reached
    const [read] = await Promise.all([stored(db), write])
    expect([[], [1, 2]]).toContainEqual(read)
    expect(await stored(db)).toEqual([1, 2])
  })

  it('rolls back a transaction that throws, and goes on', async () => {
    const db = await opened(`sqlite:${join(await folder(), 'a.db')}`)
    const failed = db.transaction().execute(async (tx) => {
      await tx.insertInto('numbers').values({ n: 1 }).execute()
      throw new Error('changed my mind')
    })
    await expect(failed).rejects.toThrow('changed my mind')
    await db.transaction().execute((tx) => tx.insertInto('numbers').values({ n: 2 }).execute())
    expect(await stored(db)).toEqual([2])
  })

  it('that another process locks says so, and goes on after it', async () => {
    const path = join(await folder(), 'a.db')
    const db = await opened(`sqlite:${path}`)
    const other = openSqlite({ path })
    onTestFinished(() => other.close())
    other.run('begin immediate')
    const insert = (n: number) => db.insertInto('numbers').values({ n }).execute()
    await expect(insert(1)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'the SQLite file is locked by another process, and still was after 5 s',
    })
    other.run('rollback')
    // A statement that stayed behind would make every commit fail.
    await db.transaction().execute((tx) => tx.insertInto('numbers').values({ n: 2 }).execute())
    await insert(3)
    expect(await stored(db)).toEqual([2, 3])
  }, 20_000)

  it('says that the disk is full, keeps nothing of that transaction, and goes on when there is room', async () => {
    const db = await opened(`sqlite:${join(await folder(), 'a.db')}`)
    await sql`create table texts (t text)`.execute(db)
    const full = { name: 'SqlError', code: 'UNAVAILABLE', message: 'the disk of the SQLite file is full' }
    const fill = () =>
      db.transaction().execute(async (tx) => {
        await tx.insertInto('numbers').values({ n: 1 }).execute()
        await sql`insert into texts values (${'x'.repeat(100_000)})`.execute(tx)
      })
    await sql`pragma max_page_count = 10`.execute(db) // SQLite's own way to play a full disk
    await expect(fill()).rejects.toMatchObject(full)
    await expect(sql`insert into texts values (${'x'.repeat(100_000)})`.execute(db)).rejects.toMatchObject(
      full,
    )
    expect(await stored(db)).toEqual([])
    await sql`pragma max_page_count = 1000000`.execute(db)
    await fill()
    expect(await stored(db)).toEqual([1])
  })

  it('serialises transactions of one process', async () => {
    const db = await opened(`sqlite:${join(await folder(), 'a.db')}`)
    await Promise.all(
      Array.from({ length: 20 }, () =>
        db.transaction().execute(async (tx) => {
          const last = (await stored(tx)).at(-1) ?? 0
          await tx
            .insertInto('numbers')
            .values({ n: last + 1 })
            .execute()
        }),
      ),
    )
    expect(await stored(db)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
  })

  it('writes by raw SQL, with RETURNING, and into a full-text table', async () => {
    const db = await opened(`sqlite:${join(await folder(), 'a.db')}`)
    await sql`create virtual table notes using fts5 (body, tokenize = 'porter unicode61')`.execute(db)
    await sql`insert into notes (rowid, body) values (${5}, ${'likes hiking'})`.execute(db)
    const { rows } = await sql`insert into numbers (n) values (${7}) returning n`.execute(db)
    expect(rows).toEqual([{ n: 7 }])
    const found =
      await sql`select rowid, body from notes where notes match ${'hike'} order by bm25(notes)`.execute(db)
    expect(found.rows).toEqual([{ rowid: 5, body: 'likes hiking' }])
    expect((await sql`with x as (select 1) delete from notes`.execute(db)).numAffectedRows).toBe(1n)
  })
})
