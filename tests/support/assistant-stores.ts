import { randomUUID } from 'node:crypto'
import { silent } from '@promptkeep/client/protocol'
import type { Target } from '@promptkeep/evals'
import type { Kysely } from 'kysely'
import { createAssistant } from '../../apps/assistant/src/assistant.ts'
import { readConfig } from '../../apps/assistant/src/config.ts'
import { type Tables, USER_TABLES } from '../../apps/assistant/src/db/schema.ts'
import { createChatTarget } from '../../apps/assistant/src/eval-target.ts'
import { createEvalWorlds } from '../../apps/assistant/src/eval-worlds.ts'

export interface OpenedTarget {
  readonly target: Target
  /** How many there are in all tables of the assistant's database, of whomever. */
  rows(): Promise<number>
}

/** The assistant as evals run it, made as they make it, whose stores can be looked into. */
export async function openTargetWithStores(
  trackingUri: string,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<OpenedTarget> {
  const config = readConfig({
    ...env,
    MLFLOW_TRACKING_URI: trackingUri,
    ASSISTANT_DATABASE: 'sqlite::memory:',
  })
  const worlds = createEvalWorlds()
  let db: Kysely<Tables> | undefined
  const assistant = await createAssistant(config, {
    ...{ log: silent, env, fetch, now: Date.now, newId: randomUUID, strictPrompts: true },
    createTools(deps) {
      db = deps.db
      return worlds.createTools(deps)
    },
  })
  return {
    target: createChatTarget(assistant, worlds, randomUUID),
    async rows() {
      const counts = [...USER_TABLES, 'memories_fts' as const].map(async (table) => {
        const { n } = await (db as Kysely<Tables>)
          .selectFrom(table as keyof Tables)
          .select((eb) => eb.fn.countAll<number>().as('n'))
          .executeTakeFirstOrThrow()
        return Number(n)
      })
      return (await Promise.all(counts)).reduce((sum, n) => sum + n, 0)
    },
  }
}
