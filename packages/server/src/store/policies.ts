import type { Role } from '@promptkeep/client/protocol'
import type { Selectable } from 'kysely'
import { lockLog } from './changes.ts'
import type { StoreContext } from './context.ts'
import type { PolicyTable } from './schema.ts'
import type { Policy, PolicyStore } from './store.ts'

/** Who may move an alias, and what a move needs. */
export function createPolicyStore({ db, dialect, now }: StoreContext): PolicyStore {
  return {
    async list() {
      return (await db.selectFrom('policies').selectAll().orderBy('alias').execute()).map(toPolicy)
    },

    async get(alias) {
      const row = await db.selectFrom('policies').selectAll().where('alias', '=', alias).executeTakeFirst()
      return row && toPolicy(row)
    },

    async set({ alias, roles, reasonRequired, evidenceRequired, maxAgeMs }, { actor }) {
      const row: PolicyTable = {
        alias,
        roles: roles.join(','),
        reason_required: reasonRequired ? 1 : 0,
        evidence_required: evidenceRequired ? 1 : 0,
        max_age_ms: maxAgeMs ?? null,
        updated_at: now(),
        updated_by: actor,
      }
      const { alias: _, ...changed } = row
      await db.transaction().execute(async (tx) => {
        // In turn with the moves: one that is under way ends under the policy that it was checked against.
        await lockLog(tx, dialect)
        await tx
          .insertInto('policies')
          .values(row)
          .onConflict((conflict) => conflict.column('alias').doUpdateSet(changed))
          .execute()
      })
      return toPolicy(row)
    },

    async remove(alias) {
      return db.transaction().execute(async (tx) => {
        await lockLog(tx, dialect)
        const removed = await tx
          .deleteFrom('policies')
          .where('alias', '=', alias)
          .returning('alias')
          .execute()
        return removed.length > 0
      })
    },
  }
}

export const toPolicy = (row: Selectable<PolicyTable>): Policy => ({
  alias: row.alias,
  roles: row.roles.split(',') as Role[],
  reasonRequired: row.reason_required === 1,
  evidenceRequired: row.evidence_required === 1,
  maxAgeMs: row.max_age_ms ?? undefined,
  updatedAt: row.updated_at,
  updatedBy: row.updated_by,
})
