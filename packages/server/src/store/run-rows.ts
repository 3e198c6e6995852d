import { type RawBuilder, sql } from 'kysely'
import type { Db, MetricTable, RunTable, SqlDialect } from './schema.ts'
import type { Metric, Run } from './store.ts'
import { tagsColumn, tagsFromJson } from './tags.ts'

type RunRow = RunTable & { readonly tags: string; readonly params: string }

/** Fewer than the parameters of a statement on either database. */
const RUNS_PER_READ = 10_000

/** Reads the runs that `condition` (on `runs`, with what may follow a WHERE) selects, whole and in its order. */
export async function readRuns(db: Db, dialect: SqlDialect, condition: RawBuilder<unknown>): Promise<Run[]> {
  const { rows } = await sql<RunRow>`
    select runs.*,
      ${tagsColumn(dialect, 'run_tags', sql`t.run_id = runs.id`)} as tags,
      ${tagsColumn(dialect, 'params', sql`t.run_id = runs.id`)} as params
    from runs where ${condition}`.execute(db)
  const ids = rows.map(({ id }) => id)
  const metrics = await readLatestMetrics(db, ids)
  return rows.map((row) => ({
    id: row.id,
    experimentId: String(row.experiment_id),
    name: row.name,
    userId: row.user_id,
    status: row.status,
    startTime: row.start_time,
    endTime: row.end_time ?? undefined,
    artifactUri: row.artifact_uri,
    stage: row.stage,
    metrics: metrics.get(row.id) ?? [],
    params: tagsFromJson(row.params),
    tags: tagsFromJson(row.tags),
  }))
}

/** Not as JSON beside the run: SQLite's JSON rounds numbers to 15 digits. */
async function readLatestMetrics(db: Db, runIds: readonly string[]): Promise<Map<string, Metric[]>> {
  const metrics = new Map<string, Metric[]>()
  for (let start = 0; start < runIds.length; start += RUNS_PER_READ) {
    const rows = await db
      .selectFrom('latest_metrics')
      .selectAll()
      .where('run_id', 'in', runIds.slice(start, start + RUNS_PER_READ))
      .orderBy('position')
      .execute()
    for (const row of rows) metrics.set(row.run_id, [...(metrics.get(row.run_id) ?? []), metricOf(row)])
  }
  return metrics
}

export const metricOf = ({ key, value, is_nan, timestamp, step }: MetricTable): Metric => ({
  key,
  value: is_nan === 1 ? Number.NaN : value,
  timestamp,
  step,
})
