import type { Json } from '@promptkeep/client'
import { EvalFailure } from './errors.ts'
import type { LoggedRun, MetricPoint } from './tracking-port.ts'

export type Fields = Readonly<Record<string, Json>>

/** What an answer has under a key, as an object; empty where it has none. */
export const fieldsOf = (value: Json | undefined): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}

/** MLflow leaves empty lists out. */
export const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : [])

/** @throws {EvalFailure} where an answer does not have it */
export function text(value: Json | undefined, field: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new EvalFailure('INFRASTRUCTURE', `the tracking server's answer has no ${field}`)
}

/** A run as `runs/get` and `runs/search` show it. */
export function readRun(value: Json | undefined): LoggedRun & { readonly isDeleted: boolean } {
  const info = fieldsOf(fieldsOf(value).info)
  const data = fieldsOf(fieldsOf(value).data)
  const endedAt = Number(info.end_time)
  return {
    id: text(info.run_id, 'run_id'),
    experimentId: text(info.experiment_id, 'experiment_id'),
    name: typeof info.run_name === 'string' ? info.run_name : '',
    status: text(info.status, 'status'),
    startedAt: Number(info.start_time ?? 0),
    ...(endedAt > 0 ? { endedAt } : {}),
    params: pairsOf(data.params),
    tags: pairsOf(data.tags),
    metrics: Object.fromEntries(
      listOf(data.metrics).flatMap((metric) => {
        const { key, value } = fieldsOf(metric)
        return typeof key === 'string' ? [[key, numberOf(value)]] : []
      }),
    ),
    isDeleted: info.lifecycle_stage === 'deleted',
  }
}

export function readPoint(value: Json): MetricPoint {
  const { key, value: at, step, timestamp } = fieldsOf(value)
  return { key: text(key, 'key'), value: numberOf(at), step: Number(step ?? 0), timestamp: Number(timestamp) }
}

/** MLflow writes NaN and the infinite as texts. */
const numberOf = (value: Json | undefined): number => (value === undefined ? Number.NaN : Number(value))

const pairsOf = (value: Json | undefined): Record<string, string> =>
  Object.fromEntries(
    listOf(value).flatMap((pair) => {
      const { key, value } = fieldsOf(pair)
      // An empty value may be left out.
      return typeof key === 'string' ? [[key, typeof value === 'string' ? value : '']] : []
    }),
  )
