import type { Db, SqlDialect, Tx } from './schema.ts'

/** What the parts of the store share. */
export interface StoreContext {
  readonly db: Db
  readonly dialect: SqlDialect
  /** As that of the database (`@promptkeep/sql`). */
  readonly stamp: () => unknown
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Lets MLflow's `set_prompt_model_config` edit a version, as a logged change. */
  readonly allowModelConfigEdit: boolean
  /** One transaction that may log changes: when it is committed, those who wait for changes hear of it. */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>
}
