import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FEATURES } from './stock-mlflow/features.ts'
import { placeAt } from './stock-mlflow/places.ts'
import { mlflowSkip, oldestMlflowPython, oldestMlflowSkip, startMlflow } from './support/mlflow.ts'
import { startRegistry } from './support/registry.ts'

const doc = new URL('../docs/stock-mlflow.md', import.meta.url)
const TABLE = /(?<=<!-- made by [^>]*-->\n\n)[\s\S]*?(?=<!-- end -->)/

const SERVERS = [
  { column: 'our server', skip: '', start: () => startRegistry() },
  { column: 'MLflow 3.17', skip: mlflowSkip, start: () => startMlflow() },
  {
    column: 'MLflow 3.10',
    skip: oldestMlflowSkip,
    start: () => startMlflow({ python: oldestMlflowPython }),
  },
]
const HEAD = ['', ...SERVERS.map(({ column }) => column), 'how it shows']

/** Cell by feature and column, as far as the servers are here. */
const found = new Map<string, string>()
const at = (what: string, column: string) => `${what}\n${column}`
const escaped = (cell: string) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')
const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`

describe.each(SERVERS)('what $column does $skip', ({ column, skip, start }) => {
  let server: { readonly url: string; stop(): Promise<void> } | undefined
  beforeAll(async () => {
    if (skip === '') server = await start()
  }, 120_000)
  afterAll(() => server?.stop())

  it.skipIf(skip !== '').each(FEATURES)('$what', async ({ what, find }) => {
    const place = placeAt(server?.url ?? '')
    try {
      const cell = await find(place)
      found.set(at(what, column), cell)
      const wanted = process.env.PROMPTKEEP_WRITE_DOCS === '1' ? cell : await documented(what, column)
      expect(cell).toBe(wanted)
    } finally {
      await place.close()
    }
  })
})

it('docs/stock-mlflow.md has every feature, and no other (PROMPTKEEP_WRITE_DOCS=1 writes them)', async () => {
  const text = await readFile(doc, 'utf8')
  if (process.env.PROMPTKEEP_WRITE_DOCS === '1') {
    const lines = FEATURES.map(({ what, shows }) => {
      const cells = SERVERS.map(({ column }) => found.get(at(what, column)) ?? '?')
      return line([what, ...cells, shows])
    })
    const table = [line(HEAD), line(HEAD.map(() => '---')), ...lines].join('\n')
    await writeFile(
      doc,
      text.replace(TABLE, () => `${table}\n\n`),
    )
    return
  }
  const rows = rowsOf(text)
  expect(rows.map((cells) => [cells[0], cells.at(-1)])).toEqual(
    FEATURES.map(({ what, shows }) => [escaped(what), escaped(shows)]),
  )
  expect(rows.flat()).not.toContain('?')
})

async function documented(what: string, column: string): Promise<string | undefined> {
  const row = rowsOf(await readFile(doc, 'utf8')).find(([first]) => first === escaped(what))
  return row?.[HEAD.indexOf(column)]?.replaceAll('\\|', '|')
}

/** Without the head. */
function rowsOf(text: string): string[][] {
  const table = TABLE.exec(text)?.[0] ?? ''
  return table
    .trim()
    .split('\n')
    .slice(2)
    .map((row) => row.slice(2, -2).split(/ (?<!\\)\| /))
}
