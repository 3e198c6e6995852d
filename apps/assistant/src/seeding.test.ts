import type { SeedReport } from '@promptkeep/client'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { keepSeeding } from './seeding.ts'

const report = (failed: readonly string[]): SeedReport => ({
  seeded: [],
  skipped: [],
  healed: [],
  drifted: [],
  failed,
})

/** Fails `failures` times, then succeeds; `attempts()` counts. */
function flaky(failures: number) {
  let attempts = 0
  const attempt = async () => {
    attempts += 1
    return report(attempts <= failures ? ['memory'] : [])
  }
  return { attempt, attempts: () => attempts }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

it('answers with the first attempt and goes on in the background until nothing failed', async () => {
  const { attempt, attempts } = flaky(3)
  const seeding = keepSeeding(attempt, [10, 20])
  expect((await seeding.start()).failed).toEqual(['memory'])
  await vi.advanceTimersByTimeAsync(9)
  expect(attempts()).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(attempts()).toBe(2)
  await vi.advanceTimersByTimeAsync(20)
  expect(attempts()).toBe(3)
  await vi.advanceTimersByTimeAsync(20) // the last pause repeats
  expect(attempts()).toBe(4)
  await vi.advanceTimersByTimeAsync(1000)
  expect(attempts()).toBe(4)
})

it('tries no more when it is stopped, also in the middle of an attempt', async () => {
  const { attempt, attempts } = flaky(9)
  const seeding = keepSeeding(attempt, [10])
  await seeding.start()
  const second = seeding.start()
  seeding.stop()
  await second
  await vi.advanceTimersByTimeAsync(1000)
  expect(attempts()).toBe(2)
})
