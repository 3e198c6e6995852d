import { expect, it } from 'vitest'
import type { Cell, Sight } from './cells.ts'
import { figuresOf } from './table.ts'

const cell: Cell = {
  what: 'a fault',
  ttlSeconds: 2,
  deadlineMs: 250,
  recoveryMs: 10_000,
  right: ['old', 'new'],
  mostRequests: 4,
  isQuick: true,
  run: () => Promise.reject(new Error('not run here')),
}
const fine: Sight = {
  loads: [
    { ms: 251, served: 'old' },
    { ms: 1, served: 'new' },
  ],
  requests: 4,
  recoveredMs: 900,
}
const brokenIn = (sight: Partial<Sight>) => figuresOf(cell, { ...fine, ...sight }, 100).broken

it('finds nothing broken where all held, within what a busy machine is allowed', () => {
  expect(figuresOf(cell, fine, 100)).toEqual({
    what: 'a fault',
    worstMs: 251,
    requests: 4,
    served: ['old', 'new'],
    recoveredMs: 900,
    broken: [],
    isWrong: false,
  })
})

it('names what was broken: by any load, not only by the last', () => {
  expect(brokenIn({ loads: [{ ms: 351, served: 'old' }, ...fine.loads] })).toEqual(['OVER'])
  expect(brokenIn({ loads: [{ ms: 1, served: 'fallback' }, ...fine.loads] })).toEqual(['WRONG'])
  expect(brokenIn({ loads: [{ ms: 1, served: 'none', error: 'TIMEOUT' }] })).toEqual(['WRONG'])
  expect(brokenIn({ requests: 5 })).toEqual(['too many requests'])
  expect(brokenIn({ recoveredMs: Number.POSITIVE_INFINITY })).toEqual(['recovers too late'])
})

it('shows an answer that never came as none, and an error by its code', () => {
  const loads = [{ ms: Number.POSITIVE_INFINITY, served: 'none', error: 'TIMEOUT' }] as const
  expect(figuresOf(cell, { loads, requests: 1 }, 100)).toMatchObject({ worstMs: null, served: ['TIMEOUT'] })
})

it('holds a rival to its last word only, and an honest error is not wrong', () => {
  const isWrong = (...served: Sight['loads'][number]['served'][]) =>
    figuresOf(cell, { ...fine, loads: served.map((one) => ({ ms: 1, served: one })) }, 100).isWrong
  expect(isWrong('wrong', 'new')).toBe(false)
  expect(isWrong('new', 'none')).toBe(false)
  expect(isWrong('new', 'wrong')).toBe(true)
  expect(isWrong('empty')).toBe(true)
})
