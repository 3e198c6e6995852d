import type { SeedReport } from '@promptkeep/client'

export interface Seeding {
  /** Runs the first attempt; while something failed, tries again in the background with growing pauses. */
  start(): Promise<SeedReport>
  stop(): void
}

/** Pauses between attempts, in milliseconds; the last one repeats. */
const PAUSES_MS = [1000, 2000, 5000, 10_000, 30_000]

/** @param attempt - Seeds what is missing, bounded in time; says what failed instead of throwing. */
export function keepSeeding(
  attempt: () => Promise<SeedReport>,
  pausesMs: readonly number[] = PAUSES_MS,
): Seeding {
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  async function run(failures: number): Promise<SeedReport> {
    const report = await attempt()
    const pauseMs = pausesMs[Math.min(failures, pausesMs.length - 1)]
    if (report.failed.length > 0 && !stopped && pauseMs !== undefined) {
      timer = setTimeout(() => void run(failures + 1), pauseMs)
      timer.unref() // a process that has nothing else to do may end
    }
    return report
  }

  return {
    start() {
      clearTimeout(timer)
      return run(0)
    },
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
