export type RunStatus = 'FINISHED' | 'FAILED' | 'KILLED'

/** One MLflow run that is being written. Every method rejects with an `EvalFailure` when the server cannot be written to. */
export interface TrackedRun {
  readonly id: string
  readonly experimentId: string
  logParams(params: Readonly<Record<string, string>>): Promise<void>
  /** At `atMs`, milliseconds since the epoch. */
  logMetrics(metrics: Readonly<Record<string, number>>, atMs: number): Promise<void>
  /** Many points of metrics at once, each with its own step and time. */
  logPoints(points: readonly MetricPoint[]): Promise<void>
  setTags(tags: Readonly<Record<string, string>>): Promise<void>
  /**
   * A file beside the run, at a path relative to its artifacts.
   * @returns false where the server takes no artifacts: then nothing was kept.
   */
  logArtifact(path: string, text: string): Promise<boolean>
  finish(status: RunStatus, atMs: number): Promise<void>
}

export interface MetricPoint {
  readonly key: string
  readonly value: number
  readonly step: number
  /** Milliseconds since the epoch. */
  readonly timestamp: number
}

/** A run as the server has it. */
export interface LoggedRun {
  readonly id: string
  readonly experimentId: string
  readonly name: string
  /** `RUNNING`, `SCHEDULED`, `FINISHED`, `FAILED` or `KILLED`. */
  readonly status: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly endedAt?: number
  readonly params: Readonly<Record<string, string>>
  readonly tags: Readonly<Record<string, string>>
  /** The last point of each. */
  readonly metrics: Readonly<Record<string, number>>
}

export interface RunQuery {
  /** MLflow experiment, by name; one that does not exist has no runs. */
  readonly experiment: string
  /** MLflow's filter, such as `params.suite = 'tone' and attributes.status = 'FINISHED'`. */
  readonly filter?: string
  /** Which of them come first: those that started last, or those that ended last. Default `started`. */
  readonly order?: 'started' | 'ended'
  /** Default 100. */
  readonly limit?: number
  readonly pageToken?: string | undefined
}

/** MLflow tracking, our server's or a stock one's: as much of it as evals need. Rejects with an `EvalFailure`. */
export interface Tracking {
  /** Starts a run in an experiment, which is made when there is none of this name. */
  startRun(run: {
    readonly experiment: string
    readonly name: string
    readonly tags: Readonly<Record<string, string>>
    /** Milliseconds since the epoch. */
    readonly startedAt: number
  }): Promise<TrackedRun>
  /** @throws {EvalFailure} `CONFIGURATION`: there is no such run, or it is deleted */
  getRun(id: string): Promise<LoggedRun>
  /** A run that exists, to write to it. Nothing is asked. */
  openRun(run: Pick<LoggedRun, 'id' | 'experimentId'>): TrackedRun
  /** Newest first; deleted ones are not among them. */
  findRuns(query: RunQuery): Promise<{ readonly runs: readonly LoggedRun[]; readonly nextPageToken?: string }>
  /** Every point of one metric, by time; empty when there is none. */
  metricHistory(runId: string, key: string): Promise<readonly MetricPoint[]>
}
