import { createBoundedMap } from './bounded-map.ts'

export interface LockOut {
  /** How long credentials of this address are refused yet, in milliseconds. 0: they are judged. */
  lockedForMs(address: string): number
  /** Notes a wrong credential. @returns For how long the address is locked out by it; 0: it is not. */
  failed(address: string): number
  /** Notes a right one, by the hash of its secret. */
  succeeded(address: string, hash: string): void
  /** Whether this one was right from this address lately: a stranger's guesses must not stop who works there. */
  hasSucceeded(address: string, hash: string): boolean
}

interface Guesses {
  /** Of the last minute, oldest first. */
  readonly at: readonly number[]
  readonly lockedUntil: number
  /** How often it was locked out in a row. */
  readonly times: number
}

const MOST_WRONG = 10
const WITHIN_MS = 60_000
const FIRST_MS = 60_000
const LONGEST_MS = 15 * 60_000
/** After as long without being locked out, the next time is a first one. */
const FORGIVEN_MS = 60 * 60_000
const MOST_ADDRESSES = 10_000
/** The services and people behind one address translation. */
const MOST_TOKENS_OF_ADDRESS = 256
/** Of all addresses: about 10 MB. */
const MOST_TOKENS = 50_000

/** Ten wrong credentials of an address within a minute: it is not listened to for 1, 2, 4, 8, then 15 minutes. */
export function createLockOut(elapsedMs: () => number): LockOut {
  const guesses = createBoundedMap<Guesses>(MOST_ADDRESSES)
  const right = createRightTokens()

  return {
    lockedForMs: (address) => Math.max(0, (guesses.get(address)?.lockedUntil ?? 0) - elapsedMs()),

    failed(address) {
      const now = elapsedMs()
      const before = guesses.get(address)
      // Sent before the lock-out, judged after it: one flood is one lock-out.
      if (before && before.lockedUntil > now) return 0
      const at = [...(before?.at ?? []).filter((time) => now - time < WITHIN_MS), now]
      const forgiven = before === undefined || now - before.lockedUntil > FORGIVEN_MS
      const times = forgiven ? 0 : before.times
      if (at.length < MOST_WRONG) {
        guesses.set(address, { at, lockedUntil: before?.lockedUntil ?? 0, times })
        return 0
      }
      const lockedMs = Math.min(FIRST_MS * 2 ** times, LONGEST_MS)
      guesses.set(address, { at: [], lockedUntil: now + lockedMs, times: times + 1 })
      return lockedMs
    },

    succeeded: right.add,
    hasSucceeded: right.has,
  }
}

/**
 * Which tokens were right lately, per address: those that were used last. Only who holds a right token adds here; the
 * bounds are for a proxy that hides thousands of callers, and for an address that changes with every request.
 */
function createRightTokens(): { add(address: string, hash: string): void; has: LockOut['hasSucceeded'] } {
  const addresses = new Map<string, Set<string>>()
  let kept = 0

  return {
    has: (address, hash) => addresses.get(address)?.has(hash) ?? false,

    add(address, hash) {
      const tokens = addresses.get(address) ?? new Set<string>()
      // Both keep the order of use: what is used again goes to the end, and what is dropped is at the start.
      if (!tokens.delete(hash)) kept += 1
      tokens.add(hash)
      addresses.delete(address)
      addresses.set(address, tokens)
      const [oldest] = tokens
      if (tokens.size > MOST_TOKENS_OF_ADDRESS && oldest !== undefined && tokens.delete(oldest)) kept -= 1
      if (kept <= MOST_TOKENS && addresses.size <= MOST_ADDRESSES) return
      const [[idle, its] = [address, tokens]] = addresses
      addresses.delete(idle)
      kept -= its.size
    },
  }
}
