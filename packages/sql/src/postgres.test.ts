import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Postgres, postgresSkip, startPostgres } from '../../../tests/support/postgres.ts'
import { openDatabase } from './open.ts'

describe.skipIf(postgresSkip)(`a connection to Postgres ${postgresSkip}`.trim(), () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres?.stop())

  it('that breaks while idle is told, and replaced by the next query', async () => {
    const url = await postgres.createDatabase()
    const heard: Error[] = []
    const { db, close } = await openDatabase(url, {
      migrations: [],
      onConnectionError: (error) => heard.push(error),
    })
    onTestFinished(close)
    await sql`select 1`.execute(db)

    const admin = new pg.Client(url)
    await admin.connect()
    await admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'promptkeep' and datname = current_database()`,
    )
    await admin.end()
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBeGreaterThan(0)
    expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }])
  })

  it('that cannot be made any more is an outage; a statement that is refused is none', async () => {
    const gone = await startPostgres()
    onTestFinished(() => gone.stop())
    const { db, close } = await openDatabase(await gone.createDatabase(), { migrations: [] })
    onTestFinished(close)
    await expect(sql`select nothing`.execute(db)).rejects.toMatchObject({ code: '42703' })
    await gone.stop()
    for (let i = 0; i < 2; i++)
      await expect(sql`select 1`.execute(db)).rejects.toMatchObject({ name: 'SqlError', code: 'UNAVAILABLE' })
  })

  it('that breaks inside a transaction fails it, and keeps nothing', async () => {
    const url = await postgres.createDatabase()
    const { db, close } = await openDatabase<{ t: { n: number } }>(url, { migrations: [] })
    onTestFinished(close)
    await sql`create table t (n bigint)`.execute(db)
    const broken = db.transaction().execute(async (tx) => {
      await sql`insert into t values (1)`.execute(tx)
      await sql`select pg_terminate_backend(pg_backend_pid())`.execute(tx)
    })
    await expect(broken).rejects.toMatchObject({ name: 'SqlError', code: 'UNAVAILABLE' })
    expect(await db.selectFrom('t').selectAll().execute()).toEqual([])
  })
})
