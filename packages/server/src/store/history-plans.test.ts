import { type Database, openDatabase } from '@promptkeep/sql'
import { CompiledQuery, type KyselyPlugin, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listChanges, pageOfChanges } from './change-list.ts'
import { migrations } from './migrations/index.ts'
import { resolveAt } from './past.ts'
import { resolveNow } from './resolve.ts'
import type { Db, Tables } from './schema.ts'
import type { ChangeFilter } from './store.ts'

/*
 * No query of the history reads all of a long log, or sorts it: however large it is, an answer takes as long as its page.
 * SQLite plans without statistics here, as it does in a registry; its worst choice is what counts.
 */

const ROWS = 100_000

let database: Database<Tables>
beforeAll(async () => {
  database = await openDatabase<Tables>('sqlite::memory:', { migrations })
  await sql`insert into changes (seq, kind, model_id, prompt, alias, from_version, to_version, actor, at)
    with recursive n (i) as (select 1 union all select i + 1 from n where i < ${ROWS})
    select i, case i % 5 when 0 then 'version.registered' when 1 then 'rollout.changed' else 'alias.moved' end,
      i % 1000, 'p' || (i % 1000), case when i % 5 = 0 then null else 'production' end, 1, i / 1000 + 1,
      'actor' || (i % 7), 1700000000000 + i * 100 from n`.execute(database.db)
}, 60_000)
afterAll(() => database.close())

/** Runs something, and then asks how SQLite went about each of its queries. */
async function plansOf(run: (db: Db) => Promise<unknown>): Promise<string[]> {
  const { db } = database
  const queries: CompiledQuery[] = []
  const listening: KyselyPlugin = {
    transformQuery({ node, queryId }) {
      queries.push(db.getExecutor().compileQuery(node, queryId))
      return node
    },
    transformResult: async ({ result }) => result,
  }
  await run(db.withPlugin(listening))
  const plans: string[] = []
  for (const query of queries) {
    const explained = CompiledQuery.raw(`explain query plan ${query.sql}`, [...query.parameters])
    const { rows } = await db.executeQuery<{ detail: string }>(explained)
    plans.push(...rows.map(({ detail }) => detail))
  }
  return plans
}

/** Steps that read a whole table of the registry. What a query itself lists is short. */
const scans = (plan: readonly string[]) =>
  plan.filter((step) => /^SCAN (c|r|v|m|a|l|s|said|changes|models|versions|aliases|counters)\b/.test(step))
const sorts = (plan: readonly string[]) => plan.filter((step) => step.includes('TEMP B-TREE FOR ORDER BY'))

const PARTS: readonly Partial<ChangeFilter>[] = [
  { prompt: 'p7' },
  { kinds: ['prompt.deleted'] },
  { kinds: ['prompt.deleted', 'alias.moved'] },
  { alias: 'production' },
  { actor: 'actor3' },
  { since: 1_700_000_500_000 },
  { until: 1_700_005_000_000 },
  { before: 70_000 },
]
const COMBINATIONS = Array.from(
  { length: 2 ** PARTS.length },
  (_, bits): ChangeFilter => Object.assign({ limit: 100 }, ...PARTS.filter((_part, i) => bits & (1 << i))),
)

describe(`with ${ROWS} changes`, () => {
  it('every combination of filters is answered in the order of an index', async () => {
    for (const filter of COMBINATIONS) {
      const plan = [
        ...(await plansOf((db) => listChanges(db, filter))),
        ...(await plansOf((db) => pageOfChanges(db, filter))),
      ]
      const found = { filter, scans: scans(plan), sorts: sorts(plan) }
      expect(found).toEqual({ filter, scans: [], sorts: [] })
    }
  })

  it('a rare prompt is found by its own index, whatever else is asked for', async () => {
    const plan = await plansOf((db) =>
      listChanges(db, { prompt: 'p7', alias: 'production', actor: 'actor3', limit: 9 }),
    )
    expect(plan.join('\n')).toContain('changes_by_prompt (prompt=?')
  })

  it.each([['production'], ['latest'], ['latest', 'production']])(
    'what was true at a time is looked up (%s, %s)',
    async (...chain) => {
      const { dialect } = database
      const names = ['p7', 'p8', 'ghost']
      const plan = await plansOf((db) => resolveAt({ db, dialect }, names, chain, 1_700_005_000_000))
      expect(scans(plan)).toEqual([])
      expect(plan.length).toBeGreaterThan(10)
    },
  )

  it('what is true is looked up', async () => {
    const { dialect } = database
    const plan = await plansOf((db) => resolveNow({ db, dialect }, ['p7', 'p8'], ['latest', 'production']))
    expect(scans(plan)).toEqual([])
    expect(plan.length).toBeGreaterThan(5)
  })
})
