import { describe, expect, it } from 'vitest'
import { readTime } from './time-query.ts'

describe('a time in a query', () => {
  it.each([
    ['0', 0],
    ['1795356180000', 1_795_356_180_000],
    ['2026-11-22T14:03:00Z', Date.UTC(2026, 10, 22, 14, 3)],
    ['2026-11-22T14:03:00.250z', Date.UTC(2026, 10, 22, 14, 3, 0, 250)],
    ['2026-11-22T14:03+01:00', Date.UTC(2026, 10, 22, 13, 3)],
    ['2026-11-22T14:03 01:00', Date.UTC(2026, 10, 22, 13, 3)], // a plus sign that nobody escaped
    ['2026-11-22T14:03:59-05:30', Date.UTC(2026, 10, 22, 19, 33, 59)],
    ['2026-11-22', Date.UTC(2026, 10, 22)],
    ['2028-02-29', Date.UTC(2028, 1, 29)],
  ])('%s is %d', (given, time) => expect(readTime(given)).toBe(time))

  it.each([
    '',
    'now',
    '-1',
    '1e3',
    '1.5',
    '9999999999999999',
    '2026-11-22T14:03:00', // whose time?
    '2026-11-22T14:03',
    '14:03Z',
    '2026-13-01',
    '2026-02-30',
    '2026-02-30T00:00Z',
    '2026-11-22T25:00Z',
    '2026-11-22T14:03:00Z ',
    'Sun, 22 Nov 2026 14:03:00 GMT',
    '1969-12-31',
  ])('%s is none', (given) => expect(readTime(given)).toBeUndefined())
})
