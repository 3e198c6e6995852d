import { describe, expect, it } from 'vitest'
import { createBreaker } from './breaker.ts'

const down = new Error('down')

function open() {
  const clock = { ms: 0 }
  return { clock, breaker: createBreaker(() => clock.ms) }
}

describe('breaker', () => {
  it('lets everybody ask until there is an outage, then nobody, then one', () => {
    const { breaker, clock } = open()
    expect([breaker.mayAsk(), breaker.mayAsk()]).toEqual([true, true])
    breaker.failed(down)
    expect(breaker.outage).toBe(down)
    expect(breaker.mayAsk()).toBe(false)
    clock.ms = 1_000
    expect([breaker.mayAsk(), breaker.mayAsk()]).toEqual([true, false])
    expect(breaker.answered()).toBe(true)
    expect([breaker.mayAsk(), breaker.mayAsk()]).toEqual([true, true])
    expect(breaker.answered()).toBe(false)
  })

  it('pauses longer after each probe that fails, up to 10 s', () => {
    const { breaker, clock } = open()
    breaker.failed(down)
    const pauses = [1, 2, 4, 8, 10, 10].map((seconds) => {
      clock.ms += seconds * 1000 - 1
      const before = breaker.mayAsk()
      clock.ms += 1
      const after = breaker.mayAsk()
      breaker.failed(down)
      return [before, after]
    })
    expect(pauses).toEqual(Array(6).fill([false, true]))
  })

  it('requests that were under way when the outage was noticed do not make the pause longer', () => {
    const { breaker, clock } = open()
    for (let i = 0; i < 11; i++) breaker.failed(down)
    clock.ms = 1_000
    expect(breaker.mayAsk()).toBe(true)
  })

  it('a clock that is set back does not make the pause longer', () => {
    const { breaker, clock } = open()
    clock.ms = 1_000_000
    breaker.failed(down)
    clock.ms = 5
    expect(breaker.mayAsk()).toBe(true)
  })
})
