import { describe, expect, it } from 'vitest'
import { measure, passes } from './metrics.ts'
import type { CaseResult, CaseStatus } from './runner.ts'

let made = 0
const result = (status: CaseStatus, ...scores: readonly (readonly [string, number])[]): CaseResult => ({
  case: { id: `case-${++made}` },
  status,
  scores: scores.map(([name, score]) => ({ name, score })),
  trial: 0,
  startedAt: 0,
  durationMs: 0,
})

describe('the numbers of a run', () => {
  it('count an error as not passed, and leave it out of every mean', () => {
    const metrics = measure([
      result('passed', ['tone', 1], ['length', 1]),
      result('failed', ['tone', 0.5]),
      result('error'),
      result('passed', ['tone', 1]),
    ])
    expect(metrics).toEqual({
      pass_rate: 0.5,
      cases: 4,
      total: 4,
      passed: 2,
      failed: 1,
      errors: 1,
      not_run: 0,
      'score.tone': 2.5 / 3,
      'score.length': 1,
    })
  })

  it('are of cases, not of trials: trials are averaged inside a case first, and cases by their weights', () => {
    const of = (id: string, weight: number, status: CaseStatus, tone: number): CaseResult => ({
      ...result(status, ['tone', tone]),
      case: { id, weight },
      costUsd: 0.25,
    })
    const trials = [
      of('a', 1, 'passed', 1),
      of('a', 1, 'failed', 0.5),
      of('a', 1, 'passed', 1),
      of('b', 3, 'failed', 0),
    ]
    const metrics = measure(trials)
    expect(metrics).toMatchObject({ cases: 2, total: 4, passed: 2, failed: 2, cost_usd: 1 })
    expect(metrics.pass_rate).toBeCloseTo(2 / 3 / 4, 12)
    expect(metrics['score.tone']).toBeCloseTo(2.5 / 3 / 4, 12)
  })

  it('have no rate while a case was not run', () => {
    const metrics = measure([result('passed', ['tone', 1]), result('not-run')])
    expect(metrics).not.toHaveProperty('pass_rate')
    expect(metrics).toMatchObject({ total: 2, passed: 1, not_run: 1 })
  })
})

describe('a gate', () => {
  it.each([
    { rule: 'passes at its threshold', direction: 'higher', value: 0.9, want: true },
    { rule: 'fails below it', direction: 'higher', value: 0.89, want: false },
    { rule: 'may want less', direction: 'lower', value: 0.89, want: true },
    { rule: 'fails above it then', direction: 'lower', value: 0.91, want: false },
  ] as const)('$rule', ({ direction, value, want }) => {
    const gate = { metric: 'score.tone', direction, threshold: 0.9 }
    expect(passes(gate, { 'score.tone': value })).toBe(want)
  })

  it.each(['higher', 'lower'] as const)('passes nothing on a number that is missing (%s)', (direction) => {
    expect(passes({ metric: 'pass_rate', direction, threshold: 0.5 }, {})).toBe(false)
  })

  it('passes no mean that leaves out cases which ended in an error', () => {
    const gate = { metric: 'score.tone', direction: 'higher', threshold: 0.5 } as const
    expect(passes(gate, { 'score.tone': 1, errors: 0 })).toBe(true)
    expect(passes(gate, { 'score.tone': 1, errors: 1 })).toBe(false)
  })
})
