import { describe, expect, it } from 'vitest'
import { concludeEvals, exitCodeOf } from './conclusion.ts'
import type { EvalReport, Verdict } from './report.ts'

/** A run of `experiment,production` with the cases that used each candidate. */
const run = (verdict: Verdict, cases: Readonly<Record<string, number>> = {}, alias = 'experiment') => ({
  verdict,
  promptAlias: [alias, 'production'],
  candidates: Object.fromEntries(
    Object.entries(cases).map(([name, used]) => [name, { version: 2, cases: used }]),
  ) as EvalReport['candidates'],
})

describe('one run', () => {
  it.each([
    { verdict: 'passed', code: 0 },
    { verdict: 'failed', code: 1 },
    { verdict: 'invalid', code: 2 },
  ] as const)('that is $verdict is exit code $code', ({ verdict, code }) =>
    expect(exitCodeOf(run(verdict))).toBe(code),
  )

  it('that no candidate reached has no verdict', () => {
    expect(concludeEvals([run('not-concerned', { memory: 0 })])).toEqual({
      exitCode: 2,
      reasons: ['no suite used memory v2, which has alias experiment: it was not judged'],
    })
  })
})

describe('several runs', () => {
  it.each([
    {
      rule: 'pass when one judged the candidate and the other is not concerned',
      runs: [run('passed', { memory: 3 }), run('not-concerned', { memory: 0 })],
      code: 0,
    },
    {
      rule: 'pass when each judged one of two candidates',
      runs: [run('passed', { memory: 3, tone: 0 }), run('passed', { memory: 0, tone: 1 })],
      code: 0,
    },
    {
      rule: 'fail when the one that is concerned fails',
      runs: [run('failed', { memory: 3 }), run('not-concerned', { memory: 0 })],
      code: 1,
    },
    {
      rule: 'have no verdict when one is invalid',
      runs: [run('failed', { memory: 3 }), run('invalid', { memory: 0 })],
      code: 2,
    },
    {
      rule: 'ask nothing of prompts that nobody made a candidate',
      runs: [run('passed', { memory: 3, others: 0 }, 'latest')],
      code: 0,
    },
    { rule: 'have no verdict when there are none', runs: [], code: 2 },
  ])('$rule', ({ runs, code }) => expect(concludeEvals(runs)).toEqual({ exitCode: code, reasons: [] }))

  it('have no verdict when none used one of two candidates, and name it', () => {
    const runs = [run('passed', { memory: 3, tone: 0 }), run('not-concerned', { memory: 0, tone: 0 })]
    expect(concludeEvals(runs)).toEqual({
      exitCode: 2,
      reasons: ['no suite used tone v2, which has alias experiment: it was not judged'],
    })
  })
})
