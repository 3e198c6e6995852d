/** What one client process reports: times are the median of its rounds. */
export interface ClientFigures {
  readonly cachedLoadNs: number
  readonly coldLoadMs: number
  readonly coldLoadRequests: number
  /** Requests that 20 concurrent loads of one cold prompt make. */
  readonly herdRequests: number
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** Counts what goes through the global fetch, which both TypeScript clients use; call it before a client is made. */
export function countFetch(): { readonly count: number } {
  const counter = { count: 0 }
  const real = globalThis.fetch
  globalThis.fetch = (...args) => {
    counter.count += 1
    return real(...args)
  }
  return counter
}

/**
 * Measures a client in this process: prompts `bench-0`… exist, each is cold until its first load.
 * A loop of its own rather than a benchmark library: a library's bookkeeping for each call costs more than the
 * call that is measured here.
 */
export async function measureClient(
  load: (name: string) => Promise<unknown>,
  { prompts, rounds, calls, requests }: Size & { readonly requests: { readonly count: number } },
): Promise<ClientFigures> {
  await load('bench-warm') // connection, lazy modules, capabilities
  const cold: number[] = []
  const before = requests.count
  for (let i = 0; i < prompts; i += 1) {
    const start = performance.now()
    await load(`bench-${i}`)
    cold.push(performance.now() - start)
  }
  const coldLoadRequests = (requests.count - before) / prompts

  const beforeHerd = requests.count
  await Promise.all(Array.from({ length: 20 }, () => load('bench-herd')))
  const herdRequests = requests.count - beforeHerd

  const cached: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const start = process.hrtime.bigint()
    for (let i = 0; i < calls; i += 1) await load('bench-0')
    cached.push(Number(process.hrtime.bigint() - start) / calls)
  }
  return { cachedLoadNs: median(cached), coldLoadMs: median(cold), coldLoadRequests, herdRequests }
}

export interface Size {
  readonly prompts: number
  readonly rounds: number
  readonly calls: number
}

/** Where to ask and how much, handed to each child as JSON in its first argument. */
export interface Job extends Size {
  readonly url: string
}

export const readJob = (): Job => JSON.parse(process.argv[2] ?? '{}') as Job
