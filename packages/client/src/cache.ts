/** What a registry said about one key: a value, or a well-founded "no such thing". */
export type Answer<T> =
  | { readonly kind: 'value'; readonly value: T; readonly confirmedAt: number }
  | { readonly kind: 'absence'; readonly error: Error; readonly confirmedAt: number }

export interface CacheOptions {
  /** Milliseconds since the epoch. The only clock: nothing in here waits. */
  readonly now: () => number
  /** The least recently used entry goes first. */
  readonly maxEntries: number
  /** Whether a failed request is an answer ("absent") that is worth keeping. */
  readonly isAbsence: (error: unknown) => boolean
}

/**
 * The last answer to each key, however old: whether it is fresh enough is the caller's rule. Requests for one
 * key are shared, and an answer that was asked for before the key changed is never stored.
 */
export interface Cache<T> {
  /** The last answer; reading counts as use. */
  read(key: string): Answer<T> | undefined
  /** The last answer and when it was last read, without counting as use. */
  peek(key: string): { readonly answer: Answer<T>; readonly usedAt: number } | undefined
  /** Whether a request for `key` is under way. */
  isAsking(key: string): boolean
  /** Joins the request for `key`, or starts it, and keeps its answer. Rejects as `ask` does. */
  ask(key: string, ask: () => Promise<T>): Promise<T>
  /** Stores what the caller knows. Requests under way may answer their callers, and are not stored. */
  write(key: string, value: T): void
  /** Forgets the answer. Requests under way may answer their callers, and are not stored. */
  drop(key: string): void
  /** Forgets absences under the keys that begin so, and those that requests under way may still hear of. */
  dropAbsences(prefix: string): void
}

interface Flight<T> {
  readonly promise: Promise<T>
  /** False once the key changed after this was asked. */
  current: boolean
}

export function createCache<T>({ now, maxEntries, isAbsence }: CacheOptions): Cache<T> {
  // A Map keeps the order of insertion: reading puts an entry last, so the first is the least recently used.
  const entries = new Map<string, { answer: Answer<T>; usedAt: number }>()
  /** The last one in that order: reading it again moves nothing, which is most of what a hot prompt costs. */
  let newest: string | undefined
  const flights = new Map<string, Flight<T>>()

  function store(key: string, answer: Answer<T>): void {
    const usedAt = entries.get(key)?.usedAt ?? now()
    entries.delete(key)
    entries.set(key, { answer, usedAt })
    newest = key
    const [oldest] = entries.keys()
    if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest)
  }

  function supersede(key: string): void {
    const flight = flights.get(key)
    if (flight) flight.current = false
    flights.delete(key)
  }

  function start(key: string, ask: () => Promise<T>): Promise<T> {
    const flight: Flight<T> = { promise: run(), current: true }
    flights.set(key, flight)
    return flight.promise

    async function run(): Promise<T> {
      await undefined // `flight` exists from here on, whatever `ask` does
      try {
        const value = await ask()
        if (flight.current) store(key, { kind: 'value', value, confirmedAt: now() })
        return value
      } catch (error) {
        if (flight.current && isAbsence(error)) {
          store(key, { kind: 'absence', error: error as Error, confirmedAt: now() })
        }
        throw error
      } finally {
        if (flight.current) flights.delete(key)
      }
    }
  }

  function drop(key: string): void {
    supersede(key)
    entries.delete(key)
    if (newest === key) newest = undefined
  }

  return {
    read(key) {
      const entry = entries.get(key)
      if (!entry) return undefined
      entry.usedAt = now()
      if (newest !== key) {
        entries.delete(key)
        entries.set(key, entry)
        newest = key
      }
      return entry.answer
    },
    peek: (key) => entries.get(key),
    isAsking: (key) => flights.has(key),
    ask: (key, ask) => flights.get(key)?.promise ?? start(key, ask),
    write(key, value) {
      supersede(key)
      store(key, { kind: 'value', value, confirmedAt: now() })
    },
    drop,
    dropAbsences(prefix) {
      for (const key of [...flights.keys(), ...entries.keys()]) {
        if (!key.startsWith(prefix)) continue
        supersede(key)
        if (entries.get(key)?.answer.kind === 'absence') drop(key)
      }
    },
  }
}
