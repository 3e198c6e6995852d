/** What a registry said about one key: a value, or a well-founded "no such thing". */
export type Answer<T> =
  | { readonly kind: 'value'; readonly value: T; readonly confirmedAt: number }
  | { readonly kind: 'absence'; readonly error: Error; readonly confirmedAt: number }

/** The place of one key. It stays the same object while the key is kept. */
export interface Slot<T> {
  readonly answer: Answer<T>
  /** It is not what the registry says any more, or nobody knows how old it is: good for an outage only. */
  readonly isExpired: boolean
  /** When the question was put, in milliseconds since the epoch: what happened after that it may not know. */
  readonly askedAt: number
  /** When it was last read, in milliseconds since the epoch. Who reads it without the cache sets it. */
  usedAt: number
}

export interface CacheOptions {
  /** Milliseconds since the epoch. The only clock: nothing in here waits. */
  readonly now: () => number
  /** The least recently used entry goes first. */
  readonly maxEntries: number
  /** Whether a failed request is an answer ("absent") that is worth keeping. */
  readonly isAbsence: (error: unknown) => boolean
  /** A key is no longer kept. */
  readonly onDrop?: (key: string) => void
}

/**
 * The last answer to each key, however old: whether it is fresh enough is the caller's rule. Requests for one
 * key are shared, and an answer that was asked for before the key changed is never stored.
 */
export interface Cache<T> {
  /** Another number whenever any answer is another: what was concluded from answers holds while it is the same. */
  readonly state: { epoch: number }
  /** Reading counts as use. */
  read(key: string): Slot<T> | undefined
  /** Without counting as use. */
  peek(key: string): Slot<T> | undefined
  /** All that begin so, of answers and of requests under way. */
  keys(prefix: string): readonly string[]
  /** Whether a request for `key` is under way. */
  isAsking(key: string): boolean
  /** Joins the request for `key`, or starts it, and keeps its answer. Rejects as `ask` does. */
  ask(key: string, ask: () => Promise<T>): Promise<T>
  /** Stores what the caller knows. Requests under way may answer their callers, and are not stored. */
  write(key: string, known: { readonly value: T } | { readonly error: Error }): void
  /** Keeps the answer for an outage only. Requests under way may answer their callers, and are not stored. */
  expire(key: string): void
  /** Its time is over: keeps the answer for an outage only. A request under way is stored. */
  lapse(key: string): void
  /** Forgets the answer. Requests under way may answer their callers, and are not stored. */
  drop(key: string): void
}

interface Flight<T> {
  readonly promise: Promise<T>
  /** False once the key changed after this was asked. */
  current: boolean
}

export function createCache<T>({ now, maxEntries, isAbsence, onDrop }: CacheOptions): Cache<T> {
  const slots = new Map<string, { answer: Answer<T>; isExpired: boolean; askedAt: number; usedAt: number }>()
  const flights = new Map<string, Flight<T>>()
  const state = { epoch: 0 }

  function store(key: string, answer: Answer<T>, askedAt: number): void {
    state.epoch++
    const slot = slots.get(key)
    if (slot) {
      slot.answer = answer
      slot.isExpired = false
      slot.askedAt = askedAt
      return
    }
    slots.set(key, { answer, isExpired: false, askedAt, usedAt: now() })
    if (slots.size > maxEntries) dropLeastRecentlyUsed(key)
  }

  function forget(key: string): void {
    if (slots.delete(key)) onDrop?.(key)
  }

  /** Looked for when it is needed: a cached load, which happens much more often, keeps no order. */
  function dropLeastRecentlyUsed(except: string): void {
    let oldest: string | undefined
    let oldestAt = Number.POSITIVE_INFINITY
    for (const [key, { usedAt }] of slots) {
      if (usedAt >= oldestAt || key === except) continue
      oldest = key
      oldestAt = usedAt
    }
    if (oldest !== undefined) forget(oldest)
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
      const askedAt = now()
      await undefined // `flight` exists from here on, whatever `ask` does
      try {
        const value = await ask()
        if (flight.current) store(key, { kind: 'value', value, confirmedAt: now() }, askedAt)
        return value
      } catch (error) {
        if (flight.current && isAbsence(error)) {
          store(key, { kind: 'absence', error: error as Error, confirmedAt: now() }, askedAt)
        }
        throw error
      } finally {
        if (flight.current) flights.delete(key)
      }
    }
  }

  function lapse(key: string): void {
    const slot = slots.get(key)
    if (slot) slot.isExpired = true
    state.epoch++
  }

  return {
    state,
    read(key) {
      const slot = slots.get(key)
      if (slot) slot.usedAt = now()
      return slot
    },
    peek: (key) => slots.get(key),
    keys: (prefix) =>
      [...new Set([...slots.keys(), ...flights.keys()])].filter((key) => key.startsWith(prefix)),
    isAsking: (key) => flights.has(key),
    ask: (key, ask) => flights.get(key)?.promise ?? start(key, ask),
    write(key, known) {
      supersede(key)
      const confirmedAt = now()
      store(
        key,
        'error' in known
          ? { kind: 'absence', error: known.error, confirmedAt }
          : { kind: 'value', value: known.value, confirmedAt },
        confirmedAt,
      )
    },
    expire(key) {
      supersede(key)
      lapse(key)
    },
    lapse,
    drop(key) {
      supersede(key)
      forget(key)
      state.epoch++
    },
  }
}
