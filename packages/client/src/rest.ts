import { MAX_TIMER_MS } from './deadline.ts'

/**
 * Waits, again and again on one signal, or rejects with its reason.
 * @param isAside - It does not keep a process alive.
 */
export function rest(ms: number, signal: AbortSignal, isAside = true): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const giveUp = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(
      () => {
        signal.removeEventListener('abort', giveUp)
        resolve()
      },
      Math.min(ms, MAX_TIMER_MS),
    )
    if (isAside && typeof timer === 'object') timer.unref() // browsers and edge workers return a number
    signal.addEventListener('abort', giveUp, { once: true })
  })
}
