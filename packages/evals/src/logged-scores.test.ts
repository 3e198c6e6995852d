import { describe, expect, it } from 'vitest'
import { scoresOf } from './case-scores.ts'
import { casePoints, caseTags, loggedCases, readScores } from './logged-scores.ts'
import { createMemoryTracking, type MemoryRun } from './memory-tracking.fixture.ts'
import type { CaseResult } from './runner.ts'

const result = (id: string, trial: number, score: number | null, status: CaseResult['status'] = 'failed') =>
  ({
    case: { id, input: 'hello' },
    trial,
    status,
    scores: status === 'error' ? [] : [{ name: 'tone', score }],
    startedAt: 1,
    durationMs: 1,
  }) satisfies CaseResult

const RESULTS = [
  result('one', 0, 0.5),
  result('one', 1, 0.25),
  result('two', 0, null),
  result('two', 1, 1, 'passed'),
  result('three', 0, 0, 'error'),
  result('four', 0, null, 'not-run'),
]
const IDS = ['one', 'two', 'three', 'four']

async function logged(tags: Record<string, string>, results: readonly CaseResult[] = RESULTS) {
  const tracking = createMemoryTracking()
  const run = await tracking.startRun({ experiment: 'e', name: 's', tags, startedAt: 1 })
  await run.logPoints(casePoints(results, IDS, 1000))
  return { tracking, run: tracking.runs[0] as MemoryRun }
}

describe('scores by case', () => {
  it('come back from the log as they were', async () => {
    const { tracking, run } = await logged(caseTags(IDS))
    expect(await readScores(tracking, run)).toEqual(scoresOf(RESULTS))
  })

  it('say the case by the step, and the trial by the time', async () => {
    const { run } = await logged(caseTags(IDS))
    expect(run.points.filter(({ key }) => key === 'trial.score.tone')).toEqual([
      { key: 'trial.score.tone', value: 0.5, step: 0, timestamp: 1000 },
      { key: 'trial.score.tone', value: 0.25, step: 0, timestamp: 1001 },
      { key: 'trial.score.tone', value: 1, step: 1, timestamp: 1001 },
    ])
  })

  it.each([
    { what: 'ids', tags: {} },
    { what: 'histories', tags: caseTags(IDS), results: [] },
  ])('are not made up for a run without $what', async ({ tags, results }) => {
    const { tracking, run } = await logged(tags, results)
    await expect(readScores(tracking, run)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: /^the run r1 does not say what each case scored/,
    })
  })

  it('are refused when a point is of no case', async () => {
    const { tracking, run } = await logged(caseTags(['one']))
    await expect(readScores(tracking, run)).rejects.toThrow(/for case number 1, of 1 cases$/)
  })
})

describe('the ids of cases', () => {
  it.each([1, 3, 1000, 5000])('fit into tags, %i of them', (n) => {
    const ids = Array.from({ length: n }, (_, i) => `case-${i}-${'x'.repeat(i % 40)}`)
    const tags = caseTags(ids)
    expect(loggedCases(tags)).toEqual(ids)
    expect(Math.max(...Object.values(tags).map(({ length }) => length))).toBeLessThanOrEqual(7500)
  })

  it('are unknown where no tag says them', () => {
    expect(loggedCases({ suite: 'tone' })).toBeUndefined()
  })
})
