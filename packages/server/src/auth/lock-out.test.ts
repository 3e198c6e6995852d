import { describe, expect, it } from 'vitest'
import { createLockOut } from './lock-out.ts'

const MINUTE = 60_000

function watched() {
  let time = 5_000
  const lockOut = createLockOut(() => time)
  return {
    ...lockOut,
    wait(ms: number) {
      time += ms
    },
    /** @returns For how long the last of them locks out. */
    guess(address: string, times: number): number {
      let lockedMs = 0
      for (let i = 0; i < times; i++) lockedMs = lockOut.failed(address)
      return lockedMs
    },
  }
}

describe('createLockOut', () => {
  it('locks an address out at its tenth wrong credential within a minute, and no other address', () => {
    const at = watched()
    expect(at.guess('a', 9)).toBe(0)
    expect(at.lockedForMs('a')).toBe(0)
    expect(at.guess('a', 1)).toBe(MINUTE)
    expect(at.lockedForMs('a')).toBe(MINUTE)
    expect(at.lockedForMs('b')).toBe(0)
    at.wait(MINUTE - 1)
    expect(at.lockedForMs('a')).toBe(1)
    at.wait(1)
    expect(at.lockedForMs('a')).toBe(0)
  })
  it('nine a minute are no guessing', () => {
    const at = watched()
    for (let minute = 0; minute < 100; minute++, at.wait(MINUTE)) expect(at.guess('a', 9)).toBe(0)
  })
  it('counts what was under way when it began as no second time', () => {
    const at = watched()
    at.guess('a', 10)
    expect(at.guess('a', 50)).toBe(0)
    expect(at.lockedForMs('a')).toBe(MINUTE)
    at.wait(MINUTE)
    expect(at.guess('a', 9)).toBe(0)
    expect(at.guess('a', 1)).toBe(2 * MINUTE)
  })
  it('is longer each time, up to fifteen minutes, and forgiven after an hour', () => {
    const at = watched()
    for (const minutes of [1, 2, 4, 8, 15, 15]) {
      expect(at.guess('a', 10)).toBe(minutes * MINUTE)
      at.wait(minutes * MINUTE)
    }
    at.wait(60 * MINUTE)
    expect(at.guess('a', 10)).toBe(15 * MINUTE)
    at.wait((15 + 60) * MINUTE + 1)
    expect(at.guess('a', 10)).toBe(MINUTE)
  })
  it('knows what was right from an address, and only there', () => {
    const at = watched()
    at.succeeded('a', 'hash')
    expect(at.hasSucceeded('a', 'hash')).toBe(true)
    expect(at.hasSucceeded('a', 'other')).toBe(false)
    expect(at.hasSucceeded('b', 'hash')).toBe(false)
  })
  it('keeps a bounded number of addresses and tokens', () => {
    const at = watched()
    at.guess('first', 10)
    at.succeeded('first', 'hash')
    for (let i = 0; i <= 256; i++) at.succeeded('many', `hash-${i}`)
    expect(at.hasSucceeded('many', 'hash-0')).toBe(false)
    expect(at.hasSucceeded('many', 'hash-1')).toBe(true)
    expect(at.hasSucceeded('many', 'hash-256')).toBe(true)
    for (let i = 0; i < 10_000; i++) {
      at.failed(`sprayed-${i}`)
      at.succeeded(`sprayed-${i}`, 'hash')
    }
    expect(at.lockedForMs('first')).toBe(0)
    expect(at.hasSucceeded('first', 'hash')).toBe(false)
  })
  it('keeps the tokens that work, however many others come by one address', () => {
    const at = watched()
    for (let i = 0; i < 2000; i++) {
      at.succeeded('office', 'service')
      at.succeeded('office', `passing-${i}`)
    }
    expect(at.hasSucceeded('office', 'service')).toBe(true)
    expect(at.hasSucceeded('office', 'passing-0')).toBe(false)
  })
  it('keeps a bounded number of tokens of all addresses, and those of who was here last', () => {
    const at = watched()
    for (let address = 0; address < 200; address++) {
      for (let i = 0; i < 256; i++) at.succeeded(`net-${address}`, `hash-${i}`)
      at.succeeded('office', 'service')
    }
    expect(at.hasSucceeded('net-0', 'hash-255')).toBe(false)
    expect(at.hasSucceeded('net-199', 'hash-0')).toBe(true)
    expect(at.hasSucceeded('office', 'service')).toBe(true)
  })
})
