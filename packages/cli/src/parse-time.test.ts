import { describe, expect, it } from 'vitest'
import { duration, durationText, pointInTime } from './parse-time.ts'

/** Local, as everything without a zone is. */
const now = new Date(2026, 10, 22, 18, 4, 30).getTime()
const parse = (text: string, isEnd = false) => pointInTime('--since', () => now, isEnd)(text)

describe('a time', () => {
  it.each([
    { text: '90s', want: now - 90_000 },
    { text: '15m', want: now - 900_000 },
    { text: '2h', want: now - 7_200_000 },
    { text: '3d ago', want: now - 259_200_000 },
    { text: '1w', want: now - 604_800_000 },
    { text: '14:03', want: new Date(2026, 10, 22, 14, 3).getTime() },
    { text: '9:05:07', want: new Date(2026, 10, 22, 9, 5, 7).getTime() },
    { text: '2026-11-20', want: new Date(2026, 10, 20).getTime() },
    { text: '2026-11-20 14:03', want: new Date(2026, 10, 20, 14, 3).getTime() },
    { text: '2026-11-20T14:03:05', want: new Date(2026, 10, 20, 14, 3, 5).getTime() },
    { text: '2026-11-20 14:03 UTC', want: Date.UTC(2026, 10, 20, 14, 3) },
    { text: '2026-11-20T14:03:05.250Z', want: Date.UTC(2026, 10, 20, 14, 3, 5, 250) },
    { text: '2026-11-20T14:03:05+02:00', want: Date.UTC(2026, 10, 20, 12, 3, 5) },
  ])('$text', ({ text, want }) => expect(parse(text)).toBe(want))

  it('a day is its end where a range ends', () => {
    expect(parse('2026-11-20', true)).toBe(new Date(2026, 10, 21).getTime() - 1)
    expect(parse('14:03', true)).toBe(parse('14:03'))
  })

  it.each([
    '',
    'yesterday',
    '24:00',
    '14:60',
    '2026-13-01',
    '2026-11-31',
    '2026-02-29 10:00',
    '2026-11-20 25:00',
    '20.11.2026',
    '2y',
    '-2h',
    '1763820270000',
  ])('refuses "%s" and says what is allowed', (text) => {
    expect(() => parse(text)).toThrow(`--since must be a time: 2h or 3d ago, 14:03 today, 2026-11-20`)
    expect(() => parse(text)).toThrow(`got ${JSON.stringify(text)}`)
  })
})

describe('a duration', () => {
  it.each([
    { text: '45s', seconds: 45 },
    { text: '30m', seconds: 1800 },
    { text: '12h', seconds: 43_200 },
    { text: '90d', seconds: 7_776_000 },
  ])('$text there and back', ({ text, seconds }) => {
    expect(duration('--expires')(text)).toBe(seconds)
    expect(durationText(seconds)).toBe(text)
  })

  it.each(['', '0d', '90', 'never', '1.5h', '-1d'])('refuses "%s"', (text) => {
    expect(() => duration('--expires')(text)).toThrow('--expires must be a time such as 12h, 90d or 4w')
  })
})
