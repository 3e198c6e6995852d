/** One alias as an instance of an app has it. */
export interface RunningPrompt {
  readonly name: string
  readonly alias: string
  readonly version: number
  readonly digest: string
}

/** What one instance of an app runs. */
export interface InstanceReport {
  readonly app: string
  readonly instance: string
  /** The last change that it knows; absent where it learned of none. */
  readonly seq?: number | undefined
  readonly prompts: readonly RunningPrompt[]
}

export interface KnownInstance extends InstanceReport {
  readonly actor: string
  /** Milliseconds since the epoch, by the server's clock. */
  readonly reportedAt: number
}

/** What runs where. Reports are no changes: the log does not know them. */
export interface FleetStore {
  /**
   * Takes the place of the instance's last report. Reports of a day ago are forgotten.
   * @throws {InvalidInput} when {@link MAX_INSTANCES} others have reported lately
   */
  report(report: InstanceReport, actor: string): Promise<void>
  /** The instance ended. */
  leave(app: string, instance: string): Promise<void>
  /** Those that reported within {@link GONE_AFTER_MS}, by app and instance. */
  running(app?: string): Promise<readonly KnownInstance[]>
}

/** Three reports that did not come. */
export const GONE_AFTER_MS = 90_000
/** All of them are read at once. */
export const MAX_INSTANCES = 2_000
