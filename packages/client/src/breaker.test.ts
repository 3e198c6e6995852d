import { describe, expect, it } from 'vitest'
import { createBreaker, type Probe } from './breaker.ts'

const down = new Error('down')

function open() {
  const clock = { ms: 0 }
  return { clock, breaker: createBreaker(() => clock.ms) }
}

describe('breaker', () => {
  it('lets everybody ask until there is an outage, then nobody, then one', () => {
    const { breaker, clock } = open()
    expect([breaker.mayAsk(), breaker.mayAsk()]).toEqual([true, true])
    breaker.failed(down, true)
    expect(breaker.outage).toBe(down)
    expect(breaker.mayAsk()).toBe(false)
    clock.ms = 1_000
    expect([breaker.mayAsk(), breaker.mayAsk()]).toEqual([breaker.probe, false])
    expect(breaker.answered()).toBe(true)
    expect([breaker.mayAsk(), breaker.mayAsk()]).toEqual([true, true])
    expect(breaker.answered()).toBe(false)
  })

  it('pauses longer after each probe that fails, up to 10 s', () => {
    const { breaker, clock } = open()
    breaker.failed(down, true)
    const pauses = [1, 2, 4, 8, 10, 10].map((seconds) => {
      clock.ms += seconds * 1000 - 1
      const before = breaker.mayAsk()
      clock.ms += 1
      const after = breaker.mayAsk()
      breaker.failed(down, after)
      return [before, after !== false]
    })
    expect(pauses).toEqual(Array(6).fill([false, true]))
  })

  it('requests that were under way when the outage was noticed do not make the pause longer', () => {
    const { breaker, clock } = open()
    for (let i = 0; i < 11; i++) breaker.failed(down, true)
    clock.ms = 1_000
    expect(breaker.mayAsk()).toBeTruthy()
  })

  it('a probe ends with its own answer, not with that of a request from before the pause', async () => {
    const { breaker, clock } = open()
    breaker.failed(down, true)
    clock.ms = 1_000
    const probe = breaker.mayAsk()
    breaker.failed(down, true)
    expect(breaker.probe).toBe(probe)
    breaker.failed(down, probe)
    await (probe as Probe).ended
    expect([breaker.probe, breaker.outage]).toEqual([undefined, down])
  })

  it('a clock that is set back does not make the pause longer', () => {
    const { breaker, clock } = open()
    clock.ms = 1_000_000
    breaker.failed(down, true)
    clock.ms = 5
    expect(breaker.mayAsk()).toBeTruthy()
  })
})
