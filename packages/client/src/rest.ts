import { MAX_TIMER_MS } from './deadline.ts'

/** As `sleep`, without keeping the process alive. Rejects with the signal's reason. */
export function rest(ms: number, signal: AbortSignal): Promise<void> {
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
    if (typeof timer === 'object') timer.unref() // browsers and edge workers return a number
    signal.addEventListener('abort', giveUp, { once: true })
  })
}
