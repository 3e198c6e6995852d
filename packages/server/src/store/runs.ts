import { sql } from 'kysely'
import type { StoreContext } from './context.ts'
import { STAGES } from './experiments.ts'
import { addMetrics, addParams, putPairs } from './run-log.ts'
import { metricOf, readRuns } from './run-rows.ts'
import type { Db, RunTable, Tx } from './schema.ts'
import { compileSearch, foundOf, type Searchable } from './search.ts'
import type { Run, RunStore } from './store.ts'
import { experimentNotFound, notActive, runNotFound } from './tracking-errors.ts'
import { keepVerdict, voidVerdict } from './verdicts.ts'

const ofRun = { run_id: 'runs.id' }
const SEARCHABLE: Searchable = {
  attributes: {
    run_id: 'runs.id',
    run_name: 'runs.name',
    user_id: 'runs.user_id',
    status: 'runs.status',
    artifact_uri: 'runs.artifact_uri',
    start_time: 'runs.start_time',
    end_time: { column: 'runs.end_time', nullable: true },
  },
  // No datasets: a run has none until `log-inputs` is served.
  values: {
    tag: { table: 'run_tags', on: ofRun },
    param: { table: 'params', on: ofRun },
    metric: { table: 'latest_metrics', on: ofRun, nan: 'is_nan' },
  },
}

/** The tag that holds a run's name once more; both always say the same. */
const NAME_TAG = 'mlflow.runName'

type Locked = Pick<RunTable, 'stage' | 'status' | 'end_time'>

/**
 * Whether a run that had ended says something else of its end. That it ends is none: clients set tags, the verdict among
 * them, while the run still goes on.
 */
function changesEnd(
  before: Locked,
  { status = before.status, endTime = before.end_time ?? undefined }: Parameters<RunStore['update']>[1],
): boolean {
  const goesOn = before.status === 'RUNNING' || before.status === 'SCHEDULED'
  return !goesOn && (status !== before.status || (endTime ?? null) !== before.end_time)
}

export interface RunStoreContext extends Pick<StoreContext, 'db' | 'dialect' | 'now'> {
  /** Makes a run's id: 32 hex digits. */
  readonly newId: () => string
}

export function createRunStore({ db, dialect, now, newId }: RunStoreContext): RunStore {
  async function read(from: Db, id: string): Promise<Run> {
    const [run] = await readRuns(from, dialect, sql`runs.id = ${id}`)
    if (!run) throw runNotFound(id)
    return run
  }

  /** Writers of one run take turns: what they compare with does not change under them. */
  async function lock(tx: Tx, id: string): Promise<Locked> {
    const { rows } = await sql<Locked>`
      select stage, status, end_time from runs where id = ${id} ${dialect.forUpdate}`.execute(tx)
    const [row] = rows
    if (!row) throw runNotFound(id)
    if (row.stage !== 'active') throw notActive('run', id)
    return row
  }

  return {
    create: ({ experimentId, name, userId, startTime, tags }, principal) =>
      db.transaction().execute(async (tx) => {
        const experiment = await tx
          .selectFrom('experiments')
          .select(['artifact_location', 'stage'])
          .where('id', '=', Number(experimentId))
          .executeTakeFirst()
        if (!experiment) throw experimentNotFound(experimentId)
        if (experiment.stage !== 'active') throw notActive('experiment', experimentId)
        const id = newId()
        const row: RunTable = {
          id,
          experiment_id: Number(experimentId),
          name,
          user_id: userId,
          status: 'RUNNING',
          start_time: startTime,
          end_time: null,
          artifact_uri: `${experiment.artifact_location.replace(/\/+$/, '')}/${id}/artifacts`,
          stage: 'active',
          deleted_at: null,
        }
        await tx.insertInto('runs').values(row).execute()
        const pairs = Object.entries({ ...tags, [NAME_TAG]: name }).map(([key, value]) => ({ key, value }))
        await putPairs(tx, 'run_tags', id, pairs)
        await keepVerdict(tx, id, pairs, principal, now())
        return read(tx, id)
      }),

    get: (id) => read(db, id),

    update: (id, { status, endTime, name }) =>
      db.transaction().execute(async (tx) => {
        const before = await lock(tx, id)
        const change: Partial<RunTable> = {
          ...(status !== undefined && { status }),
          ...(endTime !== undefined && { end_time: endTime }),
          ...(name !== undefined && { name }),
        }
        if (Object.keys(change).length > 0) {
          await tx.updateTable('runs').set(change).where('id', '=', id).execute()
        }
        if (changesEnd(before, { status, endTime })) await voidVerdict(tx, id)
        if (name !== undefined) await putPairs(tx, 'run_tags', id, [{ key: NAME_TAG, value: name }])
        return read(tx, id)
      }),

    async search(search) {
      if (search.experimentIds.length === 0) return { items: [], more: false }
      const { where, orderBy, limit, offset } = compileSearch(SEARCHABLE, search, dialect)
      const found = await readRuns(
        db,
        dialect,
        sql`runs.experiment_id in (${sql.join(search.experimentIds.map(Number))})
          and runs.stage in (${sql.join(STAGES[search.view])}) and ${where}
          order by ${orderBy} limit ${limit} offset ${offset}`,
      )
      return foundOf(found, search)
    },

    async metricHistory(id, key, { limit, offset }) {
      const rows = await db
        .selectFrom('metrics')
        .selectAll()
        .where('run_id', '=', id)
        .where('key', '=', key)
        .orderBy('timestamp')
        .orderBy('step')
        .orderBy('value')
        .orderBy('is_nan')
        .limit(limit + 1)
        .offset(offset)
        .execute()
      return foundOf(rows.map(metricOf), { limit })
    },

    log: (id, { metrics, params, tags }, principal) =>
      db.transaction().execute(async (tx) => {
        await lock(tx, id)
        if ((await addParams(tx, id, params)) > 0) await voidVerdict(tx, id)
        await addMetrics(tx, id, metrics)
        // An empty name is no name: MLflow ignores it.
        const kept = tags.filter(({ key, value }) => key !== NAME_TAG || value !== '')
        await putPairs(tx, 'run_tags', id, kept)
        await keepVerdict(tx, id, kept, principal, now())
        const name = kept.findLast(({ key }) => key === NAME_TAG)?.value
        if (name !== undefined) await tx.updateTable('runs').set({ name }).where('id', '=', id).execute()
      }),
  }
}
