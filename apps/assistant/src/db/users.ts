import type { Kysely } from 'kysely'
import { type Tables, USER_TABLES } from './schema.ts'

/** What is known of a user apart from conversations and memories. */
export interface UserStore {
  /** False until enough messages or {@link endOnboarding}; also for a user never seen before. */
  isOnboarded(userId: string): Promise<boolean>
  /** For good, and harmless when it has ended already. */
  endOnboarding(userId: string): Promise<void>
  /** Removes every row of a user, in every table. */
  forget(userId: string): Promise<void>
}

export function createUserStore({
  db,
  now,
}: {
  readonly db: Kysely<Tables>
  readonly now: () => number
}): UserStore {
  return {
    async isOnboarded(userId) {
      const row = await db
        .selectFrom('users')
        .where('user_id', '=', userId)
        .select('onboarded_at')
        .executeTakeFirst()
      return typeof row?.onboarded_at === 'number'
    },
    async endOnboarding(userId) {
      const at = now()
      const ended = { onboarded_at: at, onboarded_by: 'request' }
      await db
        .insertInto('users')
        .values({ user_id: userId, user_messages: 0, ...ended, created_at: at })
        .onConflict((oc) => oc.column('user_id').doUpdateSet(ended).where('users.onboarded_at', 'is', null))
        .execute()
    },
    async forget(userId) {
      await db.transaction().execute(async (tx) => {
        const rows = tx.selectFrom('memories').where('user_id', '=', userId).select('row')
        await tx.deleteFrom('memories_fts').where('rowid', 'in', rows).execute()
        for (const table of USER_TABLES) await tx.deleteFrom(table).where('user_id', '=', userId).execute()
      })
    },
  }
}
