import { describe, expect, it } from 'vitest'
import { createRateLimiter } from './rate-limiter.ts'

function limited(perSecond: number, burst: number, mostKeys?: number) {
  let time = 1000
  const limiter = createRateLimiter({
    perSecond,
    burst,
    elapsedMs: () => time,
    ...(mostKeys !== undefined && { mostKeys }),
  })
  return {
    wait: (ms: number) => {
      time += ms
    },
    take: limiter.take,
    /** How many of so many are let through. */
    let: (key: string, times: number) =>
      Array.from({ length: times }, () => limiter.take(key)).filter((waitMs) => waitMs === 0).length,
  }
}

describe('createRateLimiter', () => {
  it('lets a burst through, then as many a second as it says', () => {
    const at = limited(10, 20)
    expect(at.let('a', 50)).toBe(20)
    at.wait(1000)
    expect(at.let('a', 50)).toBe(10)
    at.wait(60_000)
    expect(at.let('a', 50)).toBe(20)
  })
  it('says how long to wait, and that long is enough', () => {
    const at = limited(4, 1)
    expect(at.take('a')).toBe(0)
    expect(at.take('a')).toBe(250)
    at.wait(100)
    expect(at.take('a')).toBe(150)
    at.wait(150)
    expect(at.take('a')).toBe(0)
  })
  it('a refused one costs nothing: who hammers gets the same as who waits', () => {
    const at = limited(10, 1)
    let through = 0
    for (let ms = 0; ms < 1000; ms++, at.wait(1)) through += at.let('a', 1)
    expect(through).toBe(10)
  })
  it('counts each key alone', () => {
    const at = limited(1, 2)
    expect(at.let('a', 5)).toBe(2)
    expect(at.let('b', 5)).toBe(2)
  })
  it('keeps no more keys than it may, and forgets who was not seen for longest', () => {
    const at = limited(0.001, 1, 3)
    for (const key of ['a', 'b', 'c', 'd']) expect(at.take(key)).toBe(0)
    expect(at.take('d')).toBeGreaterThan(0)
    expect(at.take('b')).toBeGreaterThan(0)
    expect(at.take('a')).toBe(0)
  })
  it('0 a second is no limit', () => {
    expect(limited(0, 0).let('a', 10_000)).toBe(10_000)
  })
})
