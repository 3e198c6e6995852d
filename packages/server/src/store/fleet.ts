import { InvalidInput } from '@promptkeep/client/protocol'
import type { StoreContext } from './context.ts'
import { type FleetStore, GONE_AFTER_MS, MAX_INSTANCES, type RunningPrompt } from './store.ts'

const FORGOTTEN_AFTER_MS = 24 * 60 * 60 * 1000

export function createFleetStore({ db, now }: StoreContext): FleetStore {
  const fresh = () => now() - GONE_AFTER_MS

  return {
    async report({ app, instance, seq, prompts }, actor) {
      const at = now()
      const row = { actor, seq: seq ?? null, reported_at: at, prompts: JSON.stringify(prompts) }
      await db.transaction().execute(async (tx) => {
        const known = await tx
          .updateTable('fleet')
          .set(row)
          .where('app', '=', app)
          .where('instance', '=', instance)
          .returning('app')
          .execute()
        if (known.length > 0) return
        const { count } = await tx
          .selectFrom('fleet')
          .select(({ fn }) => fn.countAll().as('count'))
          .where('reported_at', '>=', at - GONE_AFTER_MS)
          .executeTakeFirstOrThrow()
        if (Number(count) >= MAX_INSTANCES)
          throw new InvalidInput(`${MAX_INSTANCES} instances have reported lately: no more are kept`)
        await tx
          .deleteFrom('fleet')
          .where('reported_at', '<', at - FORGOTTEN_AFTER_MS)
          .execute()
        await tx
          .insertInto('fleet')
          .values({ app, instance, ...row })
          .onConflict((conflict) => conflict.columns(['app', 'instance']).doUpdateSet(row))
          .execute()
      })
    },

    async leave(app, instance) {
      await db.deleteFrom('fleet').where('app', '=', app).where('instance', '=', instance).execute()
    },

    async running(app) {
      let query = db.selectFrom('fleet').selectAll().where('reported_at', '>=', fresh())
      if (app !== undefined) query = query.where('app', '=', app)
      // Sorted here: the database would walk the whole table in that order, also those that are long gone.
      const rows = (await query.execute()).sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
      return rows.map((row) => ({
        app: row.app,
        instance: row.instance,
        actor: row.actor,
        reportedAt: Number(row.reported_at),
        prompts: JSON.parse(row.prompts) as RunningPrompt[],
        ...(row.seq !== null && { seq: Number(row.seq) }),
      }))
    },
  }
}

const idOf = ({ app, instance }: { readonly app: string; readonly instance: string }) => `${app} ${instance}`
