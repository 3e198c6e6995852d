import { randomUUID } from 'node:crypto'
import { openDatabase } from '@promptkeep/sql'
import { sql } from 'kysely'
import { createAliasStore } from './aliases.ts'
import { createChangeStore } from './changes.ts'
import type { StoreContext } from './context.ts'
import { createExperimentStore, dateDefaultExperiment } from './experiments.ts'
import { createFleetStore } from './fleet.ts'
import { createHistoryStore } from './history.ts'
import { migrations } from './migrations/index.ts'
import { createPolicyStore } from './policies.ts'
import { createPromptStore } from './prompts.ts'
import { createRunStore } from './runs.ts'
import type { Tables } from './schema.ts'
import type { Store } from './store.ts'
import { createTokenStore } from './tokens.ts'
import { createVersionStore } from './versions.ts'

export interface StoreOptions {
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number
  /** Id of a new run: 32 hex digits. Default random. */
  readonly newId?: () => string
  /** Takes MLflow's `set_prompt_model_config` and `delete_prompt_model_config`, as logged changes. Default false. */
  readonly allowModelConfigEdit?: boolean
  /** Called after every commit that may have logged changes. Default: nobody waits for them. */
  readonly onChange?: () => void
  /** Hears of database connections that broke while idle. Default: nobody. */
  readonly onConnectionError?: (error: Error) => void
}

/**
 * Opens the registry's database and brings it to the newest migration.
 *
 * @param url - `sqlite:./path/file.db`, `sqlite::memory:` or `postgres://…`
 * @throws {SqlError} in words for the person who wrote the URL
 */
export async function openStore(url: string, options: StoreOptions = {}): Promise<Store> {
  const {
    now = Date.now,
    newId = () => randomUUID().replaceAll('-', ''),
    allowModelConfigEdit = false,
    onChange = () => {},
    onConnectionError = () => {},
  } = options
  const { db, dialect, stamp, close } = await openDatabase<Tables>(url, {
    migrations,
    now,
    onConnectionError,
  })
  const context: StoreContext = {
    db,
    dialect,
    stamp,
    now,
    allowModelConfigEdit,
    async write(work) {
      const result = await db.transaction().execute(work)
      onChange()
      return result
    },
  }
  await dateDefaultExperiment(context).catch(async (error) => {
    await close()
    throw error
  })
  return {
    prompts: createPromptStore(context),
    versions: createVersionStore(context),
    aliases: createAliasStore(context),
    changes: createChangeStore(context),
    history: createHistoryStore(context),
    tokens: createTokenStore(context),
    policies: createPolicyStore(context),
    fleet: createFleetStore(context),
    experiments: createExperimentStore(context),
    runs: createRunStore({ db, dialect, now, newId }),
    async ping() {
      await sql`select 1`.execute(db)
    },
    close,
  }
}
