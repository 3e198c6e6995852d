import { sql } from 'kysely'
import type { LatestMetricTable, MetricTable, Tx } from './schema.ts'
import type { Metric, RunData } from './store.ts'
import { ParamChanged } from './tracking-errors.ts'

/** Both databases limit the parameters of one statement. */
const ROWS_PER_STATEMENT = 1_000

type Pair = RunData['params'][number]

/**
 * Adds params. One that is there with the same value stays as it is. @returns How many are new.
 * @throws {ParamChanged} when one is there with another value
 */
export async function addParams(tx: Tx, runId: string, params: readonly Pair[]): Promise<number> {
  if (params.length === 0) return 0
  const rows = await tx
    .selectFrom('params')
    .select(['key', 'value'])
    .where('run_id', '=', runId)
    .where(
      'key',
      'in',
      params.map(({ key }) => key),
    )
    .execute()
  const known = new Map(rows.map(({ key, value }) => [key, value]))
  const changes = params.flatMap(({ key, value }) => {
    const before = known.get(key)
    return before === undefined || before === value ? [] : [{ key, before, after: value }]
  })
  if (changes.length > 0) throw new ParamChanged(runId, changes)
  const added = params.filter(({ key }) => !known.has(key))
  await putPairs(tx, 'params', runId, added)
  return added.length
}

/** Sets tags or adds params: a new key goes behind the others, a known one keeps its place; the last of equals wins. */
export async function putPairs(
  tx: Tx,
  table: 'run_tags' | 'params',
  runId: string,
  pairs: readonly Pair[],
): Promise<void> {
  const last = [...new Map(pairs.map((pair) => [pair.key, pair.value]))]
  if (last.length === 0) return
  const first = await nextPosition(tx, table, runId)
  const rows = last.map(([key, value], index) => ({ run_id: runId, key, value, position: first + index }))
  await tx
    .insertInto(table)
    .values(rows)
    .onConflict((conflict) => conflict.columns(['run_id', 'key']).doUpdateSet({ value: sql`excluded.value` }))
    .execute()
}

/** Adds points (a point that is there already changes nothing) and moves each key's latest one. */
export async function addMetrics(tx: Tx, runId: string, metrics: readonly Metric[]): Promise<void> {
  const rows = metrics.map((metric) => rowOf(runId, metric))
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    await tx
      .insertInto('metrics')
      .values(rows.slice(start, start + ROWS_PER_STATEMENT))
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
  const latest = new Map<string, MetricTable>()
  for (const row of rows) {
    const other = latest.get(row.key)
    if (other === undefined || isLater(row, other)) latest.set(row.key, row)
  }
  if (latest.size > 0) await putLatest(tx, runId, [...latest.values()])
}

/** NaN becomes 0 and a mark, an infinite value the largest number there is. */
function rowOf(runId: string, { key, value, timestamp, step }: Metric): MetricTable {
  const isNan = Number.isNaN(value)
  const finite = Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value))
  // `+ 0` makes -0 a 0: as keys the two would be one point here and two points there.
  return { run_id: runId, key, value: isNan ? 0 : finite + 0, is_nan: isNan ? 1 : 0, timestamp, step }
}

/** MLflow's rule for "latest"; NaN counts as the 0 that it is stored as. */
const isLater = (a: MetricTable, b: MetricTable) =>
  a.step !== b.step
    ? a.step > b.step
    : a.timestamp !== b.timestamp
      ? a.timestamp > b.timestamp
      : a.value > b.value

async function putLatest(tx: Tx, runId: string, rows: readonly MetricTable[]): Promise<void> {
  const stored = await tx
    .selectFrom('latest_metrics')
    .selectAll()
    .where('run_id', '=', runId)
    .where(
      'key',
      'in',
      rows.map(({ key }) => key),
    )
    .execute()
  const known = new Map<string, MetricTable>(stored.map((row) => [row.key, row]))
  const first = await nextPosition(tx, 'latest_metrics', runId)
  const moved: LatestMetricTable[] = rows
    .filter((row) => isLater(row, known.get(row.key) ?? { ...row, step: Number.NEGATIVE_INFINITY }))
    .map((row, index) => ({ ...row, position: first + index }))
  if (moved.length === 0) return
  await tx
    .insertInto('latest_metrics')
    .values(moved)
    .onConflict((conflict) =>
      conflict.columns(['run_id', 'key']).doUpdateSet({
        value: sql`excluded.value`,
        is_nan: sql`excluded.is_nan`,
        timestamp: sql`excluded.timestamp`,
        step: sql`excluded.step`,
      }),
    )
    .execute()
}

async function nextPosition(
  tx: Tx,
  table: 'run_tags' | 'params' | 'latest_metrics',
  runId: string,
): Promise<number> {
  const { next } = await tx
    .selectFrom(table)
    .select(sql<number>`coalesce(max(position) + 1, 0)`.as('next'))
    .where('run_id', '=', runId)
    .executeTakeFirstOrThrow()
  return next
}
