import { MAX_TIMER_MS } from './deadline.ts'

/** Work in the background that never keeps a process alive. */
export interface Timers {
  /** Runs `work` once, `ms` from now; a second call with the same key replaces the first. */
  after(key: string, ms: number, work: () => void): void
  cancel(key: string): void
  clear(): void
}

export function createTimers(): Timers {
  const timers = new Map<string, ReturnType<typeof setTimeout>>()
  return {
    after(key, ms, work) {
      clearTimeout(timers.get(key))
      timers.delete(key)
      if (ms > MAX_TIMER_MS) return
      const timer = setTimeout(() => {
        timers.delete(key)
        work()
      }, ms)
      // Browsers and edge workers return a number.
      if (typeof timer === 'object') timer.unref()
      timers.set(key, timer)
    },
    cancel(key) {
      clearTimeout(timers.get(key))
      timers.delete(key)
    },
    clear() {
      for (const timer of timers.values()) clearTimeout(timer)
      timers.clear()
    },
  }
}
