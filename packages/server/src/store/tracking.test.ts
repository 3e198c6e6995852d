import { afterAll, beforeAll } from 'vitest'
import { type Postgres, postgresSkip, startPostgres } from '../../../../tests/support/postgres.ts'
import { openStore } from './open-store.ts'
import { describeTrackingStore } from './tracking-conformance.ts'

describeTrackingStore('sqlite', () => openStore('sqlite::memory:'))

let postgres: Postgres | undefined
beforeAll(async () => {
  if (postgresSkip === '') postgres = await startPostgres()
})
afterAll(() => postgres?.stop())
describeTrackingStore(
  'postgres',
  async () => openStore(await (postgres as Postgres).createDatabase()),
  postgresSkip,
)
