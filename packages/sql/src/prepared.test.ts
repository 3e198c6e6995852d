import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Postgres, postgresSkip, startPostgres } from '../../../tests/support/postgres.ts'
import type { Migration } from './migrate.ts'
import { openDatabase } from './open.ts'
import { prepared } from './prepared.ts'

const notes: Migration = {
  number: 1,
  name: 'notes',
  up: ({ types, tableOptions }) => [
    `create table notes (id ${types.integer} primary key, body ${types.text}) ${tableOptions}`,
  ],
}

function describePrepared(name: string, url: () => Promise<string>, skip = '') {
  describe.skipIf(skip)(`prepared: ${name} ${skip}`.trim(), () => {
    async function opened() {
      const database = await openDatabase(await url(), { migrations: [notes] })
      onTestFinished(() => database.close())
      return database.db
    }
    const insert = prepared<{ id: number; body: string | null }, unknown>(
      (of) => sql`insert into notes (id, body) values (${of('id')}, ${of('body')})`,
    )
    const find = prepared<{ id: number }, { body: string | null; twice: number; fixed: string }>(
      (of) =>
        sql`select body, cast(${of('id')} as integer) * 2 as twice, cast(${'always'} as text) as fixed from notes where id = ${of('id')}`,
    )

    it('puts each value in its places, every time anew', async () => {
      const db = await opened()
      await insert(db, { id: 1, body: 'one' })
      await insert(db, { body: null, id: 2 })
      expect(await find(db, { id: 1 })).toEqual([{ body: 'one', twice: 2, fixed: 'always' }])
      expect(await find(db, { id: 2 })).toEqual([{ body: null, twice: 4, fixed: 'always' }])
      expect(await find(db, { id: 3 })).toEqual([])
    })

    it('belongs to the transaction that it is given', async () => {
      const db = await opened()
      const undone = db.transaction().execute(async (tx) => {
        await insert(tx, { id: 1, body: 'one' })
        expect(await find(tx, { id: 1 })).toHaveLength(1)
        throw new Error('changed my mind')
      })
      await expect(undone).rejects.toThrow('changed my mind')
      expect(await find(db, { id: 1 })).toEqual([])
    })

    it('refuses what no database takes', async () => {
      const db = await opened()
      await expect(insert(db, { id: 1, body: 'a\0b' })).rejects.toMatchObject({ code: 'BAD_VALUE' })
    })
  })
}

describePrepared('sqlite', async () => 'sqlite::memory:')

let postgres: Postgres | undefined
beforeAll(async () => {
  if (postgresSkip === '') postgres = await startPostgres()
})
afterAll(() => postgres?.stop())
describePrepared('postgres', async () => (postgres as Postgres).createDatabase(), postgresSkip)
