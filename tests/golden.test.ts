import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DEVIATIONS } from './mlflow-replay/deviations.ts'
import { readGoldenSets } from './mlflow-replay/golden.ts'
import { type Replay, replay } from './mlflow-replay/replay.ts'
import { tableOf } from './mlflow-replay/table.ts'
import { databases, type TestDatabase } from './support/databases.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'

const doc = new URL('../docs/mlflow-compatibility.md', import.meta.url)
const TABLE = /(?<=<!-- made by the replay[^>]*-->\n\n)[\s\S]*?(?=\n\n<!-- end -->)/

describe.each(databases)(
  'what MLflow 3.17.2 was recorded to answer, asked of our server on $database',
  (on) => {
    if (on.skip) return it.skip(`skipped: ${on.skip}`)
    let database: TestDatabase
    let server: TestRegistry
    let result: Replay

    beforeAll(async () => {
      database = await on.start()
      server = await startRegistry({ ALLOW_MODEL_CONFIG_EDIT: 'true', ...database.env })
      result = await replay(await readGoldenSets(), server.url)
    })
    afterAll(async () => {
      await server?.stop()
      await database?.stop()
    })

    it('was all sent', () => {
      expect(result.sent).toBe(739)
    })
    it('is answered alike, but for what is listed with its reason', () => {
      const unlisted = result.deviations.filter(({ at }) => !(at in DEVIATIONS))
      expect(
        unlisted.map(({ at, exchange: { request }, differences, ours }) => ({
          at,
          request,
          differences,
          ours: ours.body,
        })),
      ).toEqual([])
    })
    it('deviates in everything that is listed', () => {
      const found = new Set(result.deviations.map(({ at }) => at))
      expect(Object.keys(DEVIATIONS).filter((at) => !found.has(at))).toEqual([])
    })
    it('is never answered with 5xx', () => {
      expect(result.deviations.filter(({ ours }) => ours.status >= 500)).toEqual([])
    })
    it('has its deviations in docs/mlflow-compatibility.md (PROMPTKEEP_WRITE_DOCS=1 writes them)', async () => {
      const text = await readFile(doc, 'utf8')
      const table = tableOf(result.deviations)
      if (process.env.PROMPTKEEP_WRITE_DOCS === '1')
        await writeFile(
          doc,
          text.replace(TABLE, () => table),
        )
      expect(TABLE.exec(await readFile(doc, 'utf8'))?.[0]).toBe(table)
    })
  },
)
