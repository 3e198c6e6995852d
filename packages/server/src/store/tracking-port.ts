import type { Principal } from './access-port.ts'
import type { Found, Search } from './search-port.ts'
import type { Tags } from './store.ts'

export interface Experiment {
  /** Decimal; "0" is `Default` and exists from the start. */
  readonly id: string
  readonly name: string
  readonly artifactLocation: string
  readonly stage: 'active' | 'deleted'
  readonly createdAt: number
  readonly updatedAt: number
  readonly tags: Tags
}

export interface ExperimentStore {
  /** @throws {RegistryError} `CONFLICT` as RESOURCE_ALREADY_EXISTS (400) */
  create(draft: { name: string; artifactLocation: string | undefined; tags: Tags }): Promise<Experiment>
  /** Deleted ones too. @throws {RegistryError} 404 RESOURCE_DOES_NOT_EXIST */
  get(id: string): Promise<Experiment>
  getByName(name: string): Promise<Experiment>
  search(
    search: Search & { readonly view: 'ACTIVE_ONLY' | 'DELETED_ONLY' | 'ALL' },
  ): Promise<Found<Experiment>>
}

export type RunStatus = 'RUNNING' | 'SCHEDULED' | 'FINISHED' | 'FAILED' | 'KILLED'

export interface Metric {
  readonly key: string
  /** May be NaN; ±Infinity is stored as ±1.7976931348623157e308, as MLflow does. */
  readonly value: number
  readonly timestamp: number
  readonly step: number
}

export interface Run {
  readonly id: string
  readonly experimentId: string
  readonly name: string
  readonly userId: string
  readonly status: RunStatus
  readonly startTime: number
  readonly endTime: number | undefined
  readonly artifactUri: string
  readonly stage: 'active' | 'deleted'
  /** Latest point of each key: highest (step, timestamp, value). */
  readonly metrics: readonly Metric[]
  readonly params: Tags
  readonly tags: Tags
}

export interface RunData {
  readonly metrics: readonly Metric[]
  readonly params: readonly { readonly key: string; readonly value: string }[]
  readonly tags: readonly { readonly key: string; readonly value: string }[]
}

export interface RunStore {
  create(
    draft: {
      experimentId: string
      name: string
      userId: string
      startTime: number
      tags: Tags
    },
    principal: Principal,
  ): Promise<Run>
  /** @throws {RegistryError} 404 RESOURCE_DOES_NOT_EXIST */
  get(id: string): Promise<Run>
  update(
    id: string,
    change: { status?: RunStatus | undefined; endTime?: number | undefined; name?: string | undefined },
  ): Promise<Run>
  search(
    search: Search & {
      readonly experimentIds: readonly string[]
      readonly view: 'ACTIVE_ONLY' | 'DELETED_ONLY' | 'ALL'
    },
  ): Promise<Found<Run>>
  /** Every point of one metric, by time, step and value; NaN counts as 0 there. None where there is no such run. */
  metricHistory(
    id: string,
    key: string,
    page: { readonly limit: number; readonly offset: number },
  ): Promise<Found<Metric>>
  /**
   * One transaction: a refused param keeps nothing of the batch. Logging one value is a batch of one. Who wrote the tag
   * `promptkeep.verdict` is kept beside it: evidence counts only from an evaluator.
   */
  log(id: string, data: RunData, principal: Principal): Promise<void>
}
