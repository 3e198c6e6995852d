/** What a client's process is told when it starts, as JSON in its first argument. */
export interface Job {
  readonly url: string
  readonly ttlSeconds: number
  /** By name: what the app has bundled, for clients that take such a thing. */
  readonly bundled: Readonly<Record<string, string>>
}

/** Loads a prompt as an app does, and gives its text: empty for a prompt without one, `null` for no prompt at all. */
export type Load = (name: string) => Promise<string | null>

/** What a client's process is told to do … */
export type Order =
  /** All of them at the same moment. */
  | { readonly op: 'load'; readonly names: readonly string[] }
  /** The clock on the wall is put forward, or back. */
  | { readonly op: 'clock'; readonly shiftMs: number }
  /** Memory in use, after a garbage collection. */
  | { readonly op: 'memory' }

/** … and its answer to a load. */
export interface Loaded {
  readonly name: string
  readonly ms: number
  readonly text?: string | null
  /** What was thrown: its code or name. */
  readonly error?: string
}
