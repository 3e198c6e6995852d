import { hasCode } from '@promptkeep/client'
import type { Admin } from '@promptkeep/client/admin'
import { messageOf } from './errors.ts'
import { pause } from './pause.ts'

export interface Alarm {
  ring(): void
  reset(): void
  rang(): boolean
  /** Until it rings, or the time is over, or the signal comes. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

export function createAlarm(): Alarm {
  let hasRung = false
  let wake = new AbortController()
  return {
    ring() {
      hasRung = true
      wake.abort()
    },
    reset() {
      hasRung = false
      wake = new AbortController()
    },
    rang: () => hasRung,
    wait: (ms, signal) => pause(ms, AbortSignal.any([signal, wake.signal])),
  }
}

/** First wait after a stream that could not be opened, in milliseconds. */
const RETRY_MS = 1000

export interface ListenOptions {
  readonly alias: string
  readonly alarm: Alarm
  /** Longest wait before the stream is opened again, in milliseconds. */
  readonly intervalMs: number
  readonly signal: AbortSignal
  readonly onTrouble: (message: string) => void
}

/** Rings at each move of the alias, as the registry tells of it; who hears it looks for itself what is new. */
export async function listen(admin: Pick<Admin, 'follow'>, options: ListenOptions): Promise<void> {
  const { alias, alarm, intervalMs, signal, onTrouble } = options
  let wait = RETRY_MS
  while (!signal.aborted) {
    try {
      for await (const event of admin.follow({ signal })) {
        wait = RETRY_MS
        if (event.kind === 'lost') onTrouble(messageOf(event.error))
        if (event.kind !== 'change' || event.change.alias === alias) alarm.ring()
      }
    } catch (error) {
      if (hasCode(error, 'INVALID_INPUT')) return // stock MLflow tells of nothing: the clock wakes it
      if (!(error instanceof Error && 'code' in error)) throw error
      await pause(wait, signal)
      wait = Math.min(intervalMs, wait * 2)
    }
  }
}
