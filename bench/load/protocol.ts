/** What a client's process is told when it starts, as JSON in its first argument. */
export interface Job {
  readonly url: string
}

/** What is done over and over in a round. */
export const WORKS = ['cachedLoad', 'callAlone', 'mapGet', 'setGet', 'render'] as const
export type Work = (typeof WORKS)[number]

/** Nanoseconds for each of so many calls. */
export type Round = (calls: number) => number | Promise<number>

/** One client; what it has no such thing for is absent. */
export interface Client {
  readonly rounds: Partial<Record<Work, Round>>
  /** A prompt that this process has not loaded before. */
  load(name: string): Promise<unknown>
}

export type Order =
  | { readonly op: 'round'; readonly work: Work; readonly calls: number }
  /** Bytes allocated for each call; `null` if the garbage was collected meanwhile. */
  | { readonly op: 'bytes'; readonly work: Work; readonly calls: number }
  | { readonly op: 'cold'; readonly names: readonly string[] }

export interface ColdLoads {
  readonly ms: readonly number[]
  readonly requests: number
}

/** Filled by every renderer alike: a middling system prompt with five variables. */
export const TEMPLATE = `You answer as {{ role }} for {{ company }}. ${'Answer in plain words. '.repeat(40)}
The question of {{ user }}: {{ question }}
${'Stay with the facts. '.repeat(40)} Answer in {{ language }}.`

export const VALUES = Array.from({ length: 16 }, (_, i) => ({
  ...{ role: 'an assistant', company: `Company ${i}`, user: `User ${i}` },
  ...{ question: `What is the answer to question number ${i}?`, language: 'English' },
}))

export const nanoseconds = (start: bigint, calls: number): number =>
  Number(process.hrtime.bigint() - start) / calls

/**
 * How long a rendered text is, once it is one: V8 joins strings only when their characters are read, which an app that
 * sends them does.
 */
export const charactersOf = (text: string): number => text.length + (text.charCodeAt(text.length - 1) & 0)
