import type { EvalRun, TrendPoint } from '@promptkeep/evals'
import { describe, expect, it } from 'vitest'
import { sparkline } from './sparkline.ts'
import type { Style } from './style.ts'
import { formatTrend } from './trend-output.ts'
import { wrapped } from './wrap.ts'

/** Colours that a test can read. */
const as = (name: string) => (text: string) => `<${name}>${text}</>`
const style: Style = {
  ...{ bold: as('bold'), dim: as('dim'), red: as('red') },
  ...{ green: as('green'), yellow: as('yellow'), cyan: as('cyan') },
}
const run = (id: string): EvalRun => ({
  ...{ id: id.padEnd(32, '0'), experimentId: '1', suite: 'tone', status: 'FINISHED', isComplete: true },
  ...{
    startedAt: Date.UTC(2026, 10, 22, 18, 4),
    prompts: {},
    judgePrompts: {},
    aliasChain: [],
    metrics: {},
    missing: [],
  },
})
const point = (changes: Partial<TrendPoint> & { id?: string; more?: Partial<EvalRun> } = {}): TrendPoint => {
  const { id = 'a', more, ...rest } = changes
  return {
    run: { ...run(id), ...more },
    metric: 'pass_rate',
    value: 0.9,
    counts: true,
    changed: [],
    isBreak: false,
    ...rest,
  }
}
const lines = (...runs: TrendPoint[]) =>
  formatTrend({ suite: 'tone', runs, hasMore: false }, style).split('\n')

describe('sparkline', () => {
  it.each([
    { rule: 'nothing', parts: [], want: '' },
    { rule: 'a lone value in the middle', parts: [[0.5]], want: '▅' },
    { rule: 'all there is, from the lowest to the highest', parts: [[0, 0.25, 0.5, 0.75, 1]], want: '▁▃▅▇█' },
    { rule: 'the highest at the top', parts: [[1, 1]], want: '██' },
    { rule: 'noise as noise', parts: [[0.5, 0.501, 0.499]], want: '▅▅▄' },
    { rule: 'a break between what is not compared', parts: [[0.2, 0.4], [], [0.8]], want: '▁▃ ┊ █' },
  ])('shows $rule', ({ parts, want }) => expect(sparkline(parts)).toBe(want))
})

describe('a text in 78 columns', () => {
  it('is broken between words, and indented as far as it begins', () => {
    const text = wrapped('  ! ', 'word '.repeat(40))
    expect(text.length).toBeGreaterThan(2)
    expect(text.every((line) => line.length <= 78)).toBe(true)
    expect(text[0]).toMatch(/^ {2}! word/)
    expect(text[1]).toMatch(/^ {4}word/)
    expect(wrapped('', 'word '.repeat(40), '        ')[1]).toMatch(/^ {8}word/)
  })

  it('does not cut what cannot be broken', () => {
    const id = 'x'.repeat(100)
    expect(wrapped('  ', `run ${id}`)).toEqual(['  run', `  ${id}`])
    expect(wrapped('  ', '')).toEqual(['  '])
  })
})

describe('a trend on a terminal', () => {
  it('dims what does not count, and keeps it out of the line', () => {
    const [head, , invalid, why, good] = lines(
      point({ id: 'b', counts: false, problem: 'it is marked', more: { invalid: 'a fallback' }, value: 0.1 }),
      point({ value: 0.9 }),
    )
    expect(head).toBe('<bold>tone</>  ▅')
    expect(invalid).toMatch(/^<dim> {2}2026-11-22 18:04 {2}b0000000 {2}invalid.*<\/>$/)
    expect(why).toBe('<dim>      a fallback</>')
    expect(good).not.toContain('<dim>')
  })

  it.each([
    {
      rule: 'what an evaluator said',
      changes: { passed: true, more: { verdict: 'fail' } },
      want: /^<red>.* fail /,
    },
    {
      rule: 'a promotion',
      changes: { passed: true, more: { verdict: 'pass' } },
      want: /^<green>.* pass /,
    },
    { rule: 'its own thresholds', changes: { passed: false }, want: /^<red>.* failed / },
    { rule: 'neither', changes: {}, want: / - / },
    { rule: 'a shard', changes: { counts: false, more: { shard: '2/3', invalid: 'x' } }, want: /shard 2\/3/ },
    { rule: 'a run that goes on', changes: { counts: false, more: { status: 'RUNNING' } }, want: /running/ },
    { rule: 'errors', changes: { counts: false, problem: '2 errors' }, want: /incomplete/ },
  ])('gives as verdict $rule', ({ changes, want }) => expect(lines(point(changes))[2]).toMatch(want))

  it('marks prompts, models and breaks, and obeys no control character', () => {
    const text = lines(
      point({
        changed: [{ prompt: 'me\u001B[2Jmory', from: 4, to: 5, isOtherText: true }],
        model: { from: 'a' },
        isBreak: true,
      }),
    )
    expect(text.join(' ')).toContain('me\\u{001b}[2Jmory v4 -> v5; model a -> not said; another dataset')
    expect(text[2]).toContain('┊')
  })
})
