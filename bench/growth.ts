import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../packages/server/src/store/open-store.ts'
import type { Search, Store } from '../packages/server/src/store/store.ts'
import { openSqlite } from '../packages/sql/src/sqlite.ts'
import { median } from './median.ts'
import { publish, readOptions } from './report.ts'

/*
 * What a registry that grows costs: the same questions to one with few prompts and to one with a hundred times as many,
 * at the store, where nothing around the query hides what it takes.
 */

const options = readOptions()
const sizes = options.small ? [100, 1000] : [1000, 100_000]
const VERSIONS = 10
/** Prompts that have the tag which is searched for, whatever the size. */
const TAGGED = 50
const ROUNDS = options.small ? 20 : 200

const isPrompt = { entity: 'tag', key: 'mlflow.prompt.is_prompt', comparator: '=', value: 'true' } as const
const byName: Search['orderBy'] = [{ entity: 'attribute', key: 'name', ascending: true }]
const search = (more: Partial<Search>): Search => ({
  ...{ clauses: [isPrompt], orderBy: byName, limit: 100, offset: 0 },
  ...more,
})
const nameOf = (n: number) => `prompt-${String(n).padStart(6, '0')}`

/** Fills a migrated database by SQL: by HTTP this took hours. */
function fill(path: string, prompts: number): void {
  const connection = openSqlite({ path })
  const numbers = (last: number) =>
    `with recursive numbers (n) as (select 0 union all select n + 1 from numbers where n + 1 < ${last})`
  const each = `${numbers(prompts)}, v (v) as (values ${Array.from({ length: VERSIONS }, (_, i) => `(${i + 1})`).join()})`
  const text = 'You are a careful assistant. Answer in plain words. '.repeat(6).slice(0, 300)
  connection.execute('begin immediate')
  for (const statement of [
    `insert into models (id, name, description, created_at, updated_at, last_version)
      ${numbers(prompts)} select n + 1, printf('prompt-%06d', n), '', 1000 + n, 1000 + (n * 7919) % ${prompts}, ${VERSIONS} from numbers`,
    `insert into model_tags (model_id, key, value, position)
      ${numbers(prompts)} select n + 1, 'mlflow.prompt.is_prompt', 'true', 0 from numbers`,
    `insert into model_tags (model_id, key, value, position)
      ${numbers(prompts)} select n + 1, 'team', 'team-' || (n % ${prompts / TAGGED}), 1 from numbers`,
    `insert into versions (model_id, version, description, source, run_id, run_link, stage, created_at, updated_at, digest)
      ${each} select n + 1, v, 'message', 'dummy-source', '', '', 'None', 1000 + n, 1000 + n, printf('%064d', n) from numbers, v`,
    `insert into version_tags (model_id, version, key, value, position)
      ${each} select n + 1, v, 'mlflow.prompt.is_prompt', 'true', 0 from numbers, v`,
    `insert into version_tags (model_id, version, key, value, position)
      ${each} select n + 1, v, 'mlflow.prompt.text', '${text}', 1 from numbers, v`,
    `insert into aliases (model_id, alias, version)
      ${numbers(prompts)} select n + 1, 'production', ${VERSIONS} from numbers`,
    `insert into changes (seq, kind, model_id, prompt, to_version, actor, at)
      ${each} select n * ${VERSIONS} + v, 'version.registered', n + 1, printf('prompt-%06d', n), v, 'bench', 1000 + n from numbers, v`,
    `update counters set value = ${prompts * VERSIONS} where name = 'change'`,
    `update counters set value = ${prompts} where name = 'model'`,
  ])
    connection.execute(statement)
  connection.run('commit')
  connection.run('pragma wal_checkpoint(TRUNCATE)')
  connection.close()
}

/** Each question with a number that no other round of it had. */
function questions(store: Store, prompts: number): Record<string, (n: number) => Promise<unknown>> {
  // Spread over all of them.
  const some = (n: number) => nameOf((n * 7919) % prompts)
  const eleven = (n: number) => Array.from({ length: 11 }, (_, i) => some(n * 11 + i))
  const prefix = (n: number) => `${some(n).slice(0, -1)}%`
  return {
    'alias look-up': (n) => store.aliases.find(some(n), 'production'),
    'resolve of 11 names': (n) => store.history.resolve(eleven(n), ['experiment', 'production']),
    'history of one prompt': (n) => store.changes.list({ prompt: some(n), limit: 100 }),
    'search by start of name': (n) =>
      store.prompts.search(
        search({
          clauses: [isPrompt, { entity: 'attribute', key: 'name', comparator: 'LIKE', value: prefix(n) }],
        }),
      ),
    'search by tag': (n) =>
      store.prompts.search(
        search({
          clauses: [
            isPrompt,
            { entity: 'tag', key: 'team', comparator: '=', value: `team-${n % (prompts / TAGGED)}` },
          ],
        }),
      ),
    'list, first page': () => store.prompts.search(search({})),
    'list, last page': () => store.prompts.search(search({ offset: prompts - 100 })),
    'list, last changed first': () =>
      store.prompts.search(
        search({
          orderBy: [{ entity: 'attribute', key: 'last_updated_timestamp', ascending: false }, ...byName],
        }),
      ),
    'versions of one prompt': (n) =>
      store.versions.search(
        search({
          clauses: [isPrompt, { entity: 'attribute', key: 'name', comparator: '=', value: some(n) }],
          orderBy: [{ entity: 'attribute', key: 'version_number', ascending: false }],
        }),
      ),
  }
}

async function measure(prompts: number) {
  const folder = await mkdtemp(join(tmpdir(), 'promptkeep-growth-'))
  const path = join(folder, 'registry.db')
  try {
    await (await openStore(`sqlite:${path}`)).close()
    const began = performance.now()
    fill(path, prompts)
    const filledMs = performance.now() - began
    const store = await openStore(`sqlite:${path}`)
    const medians: Record<string, number> = {}
    for (const [what, ask] of Object.entries(questions(store, prompts))) {
      const times: number[] = []
      for (let n = 0; n < ROUNDS; n++) {
        const start = performance.now()
        await ask(n)
        times.push(performance.now() - start)
        if (times.length >= 10 && times.reduce((a, b) => a + b) > 10_000) break
      }
      medians[what] = median(times)
    }
    await store.close()
    return { prompts, filledMs, mib: (await stat(path)).size / 2 ** 20, medians }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const [few, many] = [await measure(sizes[0] as number), await measure(sizes[1] as number)]
const count = (n: number) => n.toLocaleString('en')
const text = [
  `| median in ms | ${count(few.prompts)} prompts | ${count(many.prompts)} prompts | grows by |`,
  '|---|--:|--:|--:|',
  ...Object.entries(few.medians).map(([what, ms]) => {
    const more = many.medians[what] as number
    return `| ${what} | ${ms.toFixed(2)} | ${more.toFixed(2)} | ${(more / ms).toFixed(1)}× |`
  }),
  '',
  `Each prompt has ${VERSIONS} versions of 300 bytes; the files have ${few.mib.toFixed(0)} and ${many.mib.toFixed(0)} MiB.`,
].join('\n')
await publish(options, { title: 'What a registry that grows costs', text, figures: { few, many } })
