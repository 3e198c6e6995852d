import { openDatabase } from '@promptkeep/sql'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Postgres, postgresSkip, startPostgres } from '../../../../tests/support/postgres.ts'
import { baselineQuery } from './evidence.ts'
import { migrations } from './migrations/index.ts'
import type { Db, RunTable, Tables } from './schema.ts'

const RUNS = 4000
const PER_INSERT = 500
const DIGESTS = 40

const digest = (n: number) => String(n % DIGESTS).padStart(64, 'a')
const numbers = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index)

/** Runs of two prompts in one suite: each digest was judged by many of them. */
async function logRuns(db: Db): Promise<void> {
  for (let from = 0; from < RUNS; from += PER_INSERT) {
    const batch = numbers(from, PER_INSERT)
    const rows = batch.map(
      (n): RunTable => ({
        id: `run-${n}`,
        experiment_id: 0,
        name: '',
        user_id: '',
        status: 'FINISHED',
        start_time: n,
        end_time: n,
        artifact_uri: '',
        stage: 'active',
        deleted_at: null,
      }),
    )
    const params = (key: string, value: (n: number) => string, position: number) =>
      batch.map((n) => ({ run_id: `run-${n}`, key, value: value(n), position }))
    await db.insertInto('runs').values(rows).execute()
    const name = batch.map((n) => ({ run_id: `run-${n}`, key: 'mlflow.runName', value: 'x', position: 0 }))
    await db.insertInto('run_tags').values(name).execute()
    for (const [position, name] of ['memory', 'other'].entries())
      await db
        .insertInto('params')
        .values(params(`prompt_digest.${name}`, digest, position))
        .execute()
    await db
      .insertInto('params')
      .values(params('suite', () => 'tone', 2))
      .execute()
    await db
      .insertInto('params')
      .values(params('dataset_digest', (n) => `d${n}`, 3))
      .execute()
  }
}

const query = baselineQuery({ name: 'memory', digest: digest(7), suite: 'tone', now: RUNS })
const newest = RUNS - DIGESTS + 7

describe('the baseline run, among thousands, is found by an index', () => {
  it('on SQLite', async () => {
    const { db, close } = await openDatabase<Tables>('sqlite::memory:', { migrations })
    await logRuns(db)
    expect((await query.execute(db)).rows).toEqual([{ id: `run-${newest}`, dataset: `d${newest}` }])
    const { rows } = await sql<{ detail: string }>`explain query plan ${query}`.execute(db)
    const plan = rows.map(({ detail }) => detail)
    expect(plan.join('\n')).toContain('SEARCH p USING INDEX params_by_digest')
    expect(plan.filter((line) => line.startsWith('SCAN'))).toEqual([])
    await close()
  })

  describe.skipIf(postgresSkip)(`${postgresSkip}`, () => {
    let postgres: Postgres
    beforeAll(async () => {
      postgres = await startPostgres()
    })
    afterAll(() => postgres?.stop())

    it('on Postgres', async () => {
      const { db, close } = await openDatabase<Tables>(await postgres.createDatabase(), { migrations })
      await logRuns(db)
      await sql`analyze`.execute(db)
      expect((await query.execute(db)).rows).toEqual([{ id: `run-${newest}`, dataset: `d${newest}` }])
      const { rows } = await sql<{ 'QUERY PLAN': string }>`explain ${query}`.execute(db)
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
      expect(plan).toContain('params_by_digest')
      expect(plan).not.toMatch(/Seq Scan on (params|runs|run_tags)/)
      await close()
    })
  })
})
