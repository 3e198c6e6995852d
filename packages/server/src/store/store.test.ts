import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { type Postgres, postgresSkip, startPostgres } from '../../../../tests/support/postgres.ts'
import { describeStore } from './conformance.ts'
import { openStore } from './open-store.ts'

describeStore('sqlite in memory', (options) => openStore('sqlite::memory:', options))

const folder = await mkdtemp(join(tmpdir(), 'promptkeep-store-'))
let files = 0
afterAll(() => rm(folder, { recursive: true, force: true }))
describeStore('sqlite in a file', (options) => openStore(`sqlite:${join(folder, `${++files}.db`)}`, options))

let postgres: Postgres | undefined
beforeAll(async () => {
  if (postgresSkip === '') postgres = await startPostgres()
})
afterAll(() => postgres?.stop())
describeStore(
  'postgres',
  async (options) => openStore(await (postgres as Postgres).createDatabase(), options),
  postgresSkip,
)
