import { postgresSkip, startPostgres } from './postgres.ts'

export interface TestDatabase {
  /** For `startRegistry`. */
  readonly env: Readonly<Record<string, string>>
  stop(): Promise<void>
}

/** Both databases that a registry can stand on, for `describe.each`; `skip` says why one cannot be had here. */
export const databases: readonly { database: string; skip: string; start(): Promise<TestDatabase> }[] = [
  { database: 'SQLite', skip: '', start: async () => ({ env: {}, stop: async () => {} }) },
  {
    database: 'Postgres',
    skip: postgresSkip,
    start: async () => {
      const postgres = await startPostgres()
      return { env: { DATABASE_URL: await postgres.createDatabase() }, stop: () => postgres.stop() }
    },
  },
]
