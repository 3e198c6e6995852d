import { median } from '../median.ts'
import type { Work } from './protocol.ts'

/** The best round says what the code can do, the median what a busy machine made of it. */
export interface Best {
  readonly best: number
  readonly median: number
}

export const best = (values: readonly number[]): Best => ({
  best: Math.min(...values),
  median: median(values),
})

export interface ClientFigures {
  readonly ns: Partial<Record<Work, Best>>
  /** Allocated by each call. */
  readonly bytes: Partial<Record<Work, number>>
  readonly coldMs?: Best
  readonly coldRequests?: number
}

export interface Figures {
  /** Asks a stand-in that does no work, as Langfuse's does. */
  readonly ours: ClientFigures
  /** Asks our real server, as MLflow's asks its own. */
  readonly oursReal: ClientFigures
  readonly langfuse: ClientFigures
  readonly mustache: ClientFigures
  /** Where it is installed. */
  readonly mlflow?: ClientFigures
}
