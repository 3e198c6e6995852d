import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Postgres, postgresSkip, startPostgres } from '../../../tests/support/postgres.ts'
import type { Migration } from './migrate.ts'
import { openDatabase } from './open.ts'

const first: Migration = {
  number: 1,
  name: 'notes',
  up: ({ types, tableOptions }) => [
    `create table notes (id ${types.integer} primary key, body ${types.text} not null) ${tableOptions}`,
    `insert into notes (id, body) values (1, 'made by the first migration')`,
  ],
}
const second: Migration = {
  number: 2,
  name: 'more',
  up: () => [`insert into notes (id, body) values (2, 'two')`],
}
const broken: Migration = {
  number: 2,
  name: 'broken',
  up: () => [`insert into notes (id, body) values (2, 'kept?')`, 'insert into nowhere values (1)'],
}

interface Tables {
  notes: { id: number; body: string }
  migrations: { number: number; name: string; applied_at: number }
}

function describeMigrate(name: string, url: () => Promise<string>, skip = '') {
  describe.skipIf(skip)(`migrate: ${name} ${skip}`.trim(), () => {
    async function opened(at: string, migrations: readonly Migration[]) {
      const database = await openDatabase<Tables>(at, { migrations, now: () => 1_700_000_000_000 })
      onTestFinished(() => database.close())
      return database.db
    }
    const bodies = async (db: Awaited<ReturnType<typeof opened>>) =>
      (await db.selectFrom('notes').select('body').orderBy('id').execute()).map(({ body }) => body)

    it('applies what is missing, once, in order', async () => {
      const at = await url()
      await opened(at, [first])
      const db = await opened(at, [first, second])
      expect(await bodies(db)).toEqual(['made by the first migration', 'two'])
      const applied = await db.selectFrom('migrations').select(['number', 'name', 'applied_at']).execute()
      expect(applied).toEqual([
        { number: 1, name: 'notes', applied_at: 1_700_000_000_000 },
        { number: 2, name: 'more', applied_at: 1_700_000_000_000 },
      ])
    })

    it('keeps nothing of a migration that fails, and all before it', async () => {
      const at = await url()
      await expect(opened(at, [first, broken])).rejects.toThrow(/nowhere/)
      expect(await bodies(await opened(at, [first]))).toEqual(['made by the first migration'])
    })

    it('refuses a database of a newer version', async () => {
      const at = await url()
      await opened(at, [first, second])
      await expect(opened(at, [first])).rejects.toMatchObject({
        code: 'NEWER_DATABASE',
        message: expect.stringContaining('at migration 2 and this program knows 1'),
      })
    })

    it('refuses a database of another program, or an edited migration', async () => {
      const at = await url()
      await opened(at, [first])
      const edited: Migration = { ...first, up: (dialect) => first.up(dialect).slice(0, 1) }
      await expect(opened(at, [edited])).rejects.toMatchObject({ code: 'CHANGED_MIGRATION' })
    })

    it('lets several first starts at once take turns', async () => {
      const at = await url()
      const all = await Promise.all(Array.from({ length: 4 }, () => opened(at, [first, second])))
      for (const db of all) expect(await bodies(db)).toHaveLength(2)
    })

    it('reads integers as numbers, and text by code point', async () => {
      const db = await opened(await url(), [first])
      const time = 1_700_000_000_000
      for (const [i, body] of ['b', 'B', 'é', 'a', '😀', 'Z'].entries())
        await db
          .insertInto('notes')
          .values({ id: time + i, body })
          .execute()
      const rows = await db.selectFrom('notes').selectAll().where('id', '>=', time).orderBy('body').execute()
      expect(rows.map(({ body }) => body)).toEqual(['B', 'Z', 'a', 'b', 'é', '😀'])
      expect(rows.map(({ id }) => id).sort()).toEqual([0, 1, 2, 3, 4, 5].map((i) => time + i))
      const { rows: counted } = await sql<{ n: number }>`select count(*) as n from notes`.execute(db)
      expect(counted).toEqual([{ n: 7 }])
    })

    it.each([
      ['LIKE', 'A%', false, ['A*c', 'Abc']],
      ['LIKE with _', 'A_c', false, ['A*c', 'Abc']],
      ['LIKE with a star', 'A*c', false, ['A*c']],
      ['LIKE with brackets and a question mark', '[A]?%', false, ['[A]?x']],
      ['LIKE with a backslash', 'a\\%', false, ['a\\c']],
      ['ILIKE', 'a%C', true, ['A*c', 'Abc', 'a\\c']],
    ])('matches by %s', async (_, pattern, ignoreCase, want) => {
      const database = await openDatabase<Tables>(await url(), { migrations: [first] })
      onTestFinished(() => database.close())
      const { db, dialect } = database
      for (const [i, body] of ['Abc', 'A*c', '[A]?x', 'a\\c', 'xyz'].entries())
        await db
          .insertInto('notes')
          .values({ id: i + 10, body })
          .execute()
      const matches = dialect.matches(sql.ref('body'), pattern, { ignoreCase })
      const { rows } = await sql<{ body: string }>`
        select body from notes where ${matches} order by body`.execute(db)
      expect(rows.map(({ body }) => body)).toEqual(want)
    })

    it.each([
      ['undefined', undefined],
      ['U+0000', 'a\0b'],
      ['a lone surrogate', '\ud800'],
      ['NaN', Number.NaN],
    ])('refuses %s as a value', async (_, value) => {
      const db = await opened(await url(), [first])
      await expect(sql`insert into notes (id, body) values (9, ${value})`.execute(db)).rejects.toMatchObject({
        code: 'BAD_VALUE',
      })
      expect(await bodies(db)).toHaveLength(1)
    })
  })
}

let folder = ''
let files = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'promptkeep-migrate-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
describeMigrate('sqlite', async () => `sqlite:${join(folder, `${++files}.db`)}`)

let postgres: Postgres | undefined
beforeAll(async () => {
  if (postgresSkip === '') postgres = await startPostgres()
})
afterAll(() => postgres?.stop())
describeMigrate('postgres', async () => (postgres as Postgres).createDatabase(), postgresSkip)
