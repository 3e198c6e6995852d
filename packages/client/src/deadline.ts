import { RegistryError } from './errors.ts'
import { builtinModule } from './platform.ts'

export interface Limits {
  readonly signal?: AbortSignal | undefined
  /** No limit when absent. */
  readonly timeoutMs?: number | undefined
}

/**
 * Runs `work` until it settles, the time is up or the caller gives up, whichever is first. The signal that
 * `work` gets is aborted in every case but the first, so that nothing goes on behind a caller's back.
 *
 * @param who - Who is waited for: the subject of the message.
 * @throws {RegistryError} `TIMEOUT`; or the caller's own `signal.reason`.
 */
export function withDeadline<T>(
  { signal, timeoutMs }: Limits,
  who: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  return new Promise<T>((resolve, reject) => {
    const give = (error: unknown) => {
      reject(error)
      controller.abort(error)
    }
    const onAbort = () => give(signal?.reason)
    if (signal?.aborted) return onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    const timer =
      timeoutMs === undefined || timeoutMs > MAX_TIMER_MS
        ? undefined
        : setTimeout(
            () => give(new RegistryError('TIMEOUT', `${who} did not answer within ${timeoutMs} ms`)),
            timeoutMs,
          )
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    controller.signal.addEventListener('abort', done, { once: true })
    const run = async () => work(controller.signal) // a `work` that throws at once is a rejection like any other
    run().then(resolve, reject).finally(done)
  })
}

/** For a signal that many wait for at a time: Node would warn of a leak from the eleventh listener on. */
export function forMany(signal: AbortSignal): AbortSignal {
  const events = builtinModule('node:events') as
    | { setMaxListeners?: (n: number, on: AbortSignal) => void }
    | undefined
  events?.setMaxListeners?.(0, signal)
  return signal
}

/**
 * Waits, or rejects with the signal's reason.
 * @param isAside - It does not keep a process alive.
 */
export function sleep(ms: number, signal: AbortSignal, isAside = false): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const end = () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }
    const timer = ms > MAX_TIMER_MS ? undefined : setTimeout(end, ms)
    if (isAside && typeof timer === 'object') timer.unref() // browsers and edge workers return a number
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

/** A longer timer would fire at once. */
export const MAX_TIMER_MS = 2_147_483_647
