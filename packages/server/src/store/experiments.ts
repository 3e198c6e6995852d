import { type RawBuilder, sql } from 'kysely'
import type { StoreContext } from './context.ts'
import { nextNumber } from './counters.ts'
import type { ExperimentTable } from './schema.ts'
import { compileSearch, foundOf, type Searchable } from './search.ts'
import type { Experiment, ExperimentStore, Tags } from './store.ts'
import { tagsColumn, tagsFromJson } from './tags.ts'
import { experimentExists, experimentNameNotFound, experimentNotFound } from './tracking-errors.ts'

const SEARCHABLE: Searchable = {
  attributes: {
    name: 'experiments.name',
    experiment_id: { column: 'experiments.id', numeric: true },
    creation_time: 'experiments.created_at',
    last_update_time: 'experiments.updated_at',
  },
  values: { tag: { table: 'experiment_tags', on: { experiment_id: 'experiments.id' } } },
}

export const STAGES = {
  ACTIVE_ONLY: ['active'],
  DELETED_ONLY: ['deleted'],
  ALL: ['active', 'deleted'],
} as const

export function createExperimentStore({
  db,
  dialect,
  now,
}: Pick<StoreContext, 'db' | 'dialect' | 'now'>): ExperimentStore {
  async function read(condition: RawBuilder<unknown>): Promise<Experiment[]> {
    const tags = tagsColumn(dialect, 'experiment_tags', sql`t.experiment_id = experiments.id`)
    const { rows } = await sql<ExperimentRow>`
      select experiments.*, ${tags} as tags from experiments where ${condition}`.execute(db)
    return rows.map((row) => experimentOf(row, tagsFromJson(row.tags)))
  }

  return {
    async create({ name, artifactLocation, tags }) {
      const at = now()
      const row = await db.transaction().execute(async (tx) => {
        // The counter's row is locked from here on, so that no other create gets between this look and the insert.
        const id = await nextNumber(tx, 'experiment')
        const taken = await tx
          .selectFrom('experiments')
          .select('id')
          .where('name', '=', name)
          .executeTakeFirst()
        if (taken) throw experimentExists(name)
        const row: ExperimentTable = {
          id,
          name,
          artifact_location: artifactLocation ?? `mlflow-artifacts:/${id}`,
          stage: 'active',
          created_at: at,
          updated_at: at,
        }
        await tx.insertInto('experiments').values(row).execute()
        const pairs = Object.entries(tags).map(([key, value], position) => ({ key, value, position }))
        if (pairs.length > 0) {
          const rows = pairs.map((pair) => ({ experiment_id: id, ...pair }))
          await tx.insertInto('experiment_tags').values(rows).execute()
        }
        return row
      })
      return experimentOf(row, tags)
    },

    async get(id) {
      const [found] = await read(sql`experiments.id = ${Number(id)}`)
      if (!found) throw experimentNotFound(id)
      return found
    },

    async getByName(name) {
      const [found] = await read(sql`experiments.name = ${name}`)
      if (!found) throw experimentNameNotFound(name)
      return found
    },

    async search(search) {
      const { where, orderBy, limit, offset } = compileSearch(SEARCHABLE, search, dialect)
      const found = await read(
        sql`experiments.stage in (${sql.join(STAGES[search.view])}) and ${where}
          order by ${orderBy} limit ${limit} offset ${offset}`,
      )
      return foundOf(found, search)
    },
  }
}

/** `Default` comes with the tables, whose SQL knows no time; this dates it when they are new. */
export async function dateDefaultExperiment({ db, now }: Pick<StoreContext, 'db' | 'now'>): Promise<void> {
  const at = now()
  await db
    .updateTable('experiments')
    .set({ created_at: at, updated_at: at })
    .where('id', '=', 0)
    .where('created_at', '=', 0)
    .execute()
}

type ExperimentRow = ExperimentTable & { readonly tags: string }

const experimentOf = (row: ExperimentTable, tags: Tags): Experiment => ({
  id: String(row.id),
  name: row.name,
  artifactLocation: row.artifact_location,
  stage: row.stage,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  tags,
})
