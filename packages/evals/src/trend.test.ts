import { beforeEach, describe, expect, it } from 'vitest'
import { createMemoryTracking } from './memory-tracking.fixture.ts'
import { describeChange } from './prompt-changes.ts'
import { readTrends, type TrendQuery } from './trend.ts'
import { HOUR_MS, passRates, type WrittenRun, writeRun } from './written-runs.fixture.ts'

let tracking: ReturnType<typeof createMemoryTracking>
let hour = 0
beforeEach(() => {
  tracking = createMemoryTracking()
  hour = 0
})

/** Each an hour after the one before it. */
const run = (written: WrittenRun = {}) => writeRun(tracking, { startedAt: ++hour * HOUR_MS, ...written })
const memory = (version: number, digest = `d${version}`) => ({ memory: { version, digest } })
const read = (query: Partial<TrendQuery> = {}) => readTrends({ experiment: 'evals', ...query }, { tracking })

async function only(query: Partial<TrendQuery> = {}) {
  const [trend, ...more] = await read(query)
  expect(more).toEqual([])
  return trend?.runs ?? []
}

describe('the course of a suite', () => {
  it('is told newest first, each run against the one before it', async () => {
    await run({ scores: passRates(4), prompts: memory(4) })
    await run({ scores: passRates(2), prompts: memory(5), metrics: { cost_usd: 0.25 } })
    const runs = await only()
    expect(runs.map(({ value }) => value)).toEqual([0.95, 0.9])
    expect(runs[0]).toMatchObject({ counts: true, passed: true, metric: 'pass_rate', costUsd: 0.25 })
    expect(runs[0]?.change).toBeCloseTo(0.05, 12)
    expect(runs[0]?.changed.map(describeChange)).toEqual(['memory v4 -> v5'])
    expect(runs[1]).not.toHaveProperty('change')
    expect(runs[1]?.changed).toEqual([])
    expect(runs[0]?.run).not.toHaveProperty('logged')
  })

  it.each([
    { rule: 'a failed threshold', written: { scores: passRates(30) }, want: { counts: true, passed: false } },
    {
      rule: 'a run marked invalid',
      written: { tags: { 'promptkeep.invalid': 'a fallback' } },
      want: { counts: false, problem: 'it is marked invalid: a fallback' },
    },
    {
      rule: 'a shard',
      written: { tags: { 'promptkeep.shard': '1/3' } },
      want: { counts: false, problem: 'it is shard 1/3, and no whole run' },
    },
    {
      rule: 'a run that was stopped',
      written: { status: 'KILLED' as const },
      want: { counts: false, problem: 'it is KILLED' },
    },
    {
      rule: 'a run that goes on',
      written: { status: 'RUNNING' as const },
      want: { counts: false, problem: 'it is RUNNING' },
    },
    {
      rule: 'a run with errors',
      written: { metrics: { errors: 2 } },
      want: { counts: false, problem: '2 of its cases ended in an error' },
    },
  ])('says of $rule what it is, and compares nothing with one that does not count', async (one) => {
    await run({ scores: passRates(8) })
    await run(one.written)
    await run({ scores: passRates(4) })
    const [newest, middle] = await only()
    expect(middle).toMatchObject(one.want)
    expect(middle?.counts === false && 'change' in middle).toBe(false)
    expect(newest?.change).toBeCloseTo(one.want.counts ? 0.65 : 0.1, 12)
  })

  it('has a break where the dataset changed, and marks another model', async () => {
    await run({ scores: passRates(4) })
    await run({ params: { dataset_digest: 'dataset-2' } })
    await run({ params: { dataset_digest: 'dataset-2', model: 'model-2' } })
    const [third, second] = await only()
    expect(second).toMatchObject({ isBreak: true, value: 1 })
    expect(second).not.toHaveProperty('change')
    expect(third).toMatchObject({ isBreak: false, change: 0, model: { from: 'model-1', to: 'model-2' } })
  })

  it('compares the oldest run that is shown with the one before it', async () => {
    await run({ scores: passRates(4), prompts: memory(4) })
    await run({ status: 'KILLED' })
    await run({ scores: passRates(2), prompts: memory(5) })
    const [trend] = await read({ limit: 1 })
    expect(trend).toMatchObject({
      hasMore: true,
      runs: [{ changed: [{ prompt: 'memory', from: 4, to: 5 }] }],
    })
    expect(trend?.runs).toHaveLength(1)
    expect(trend?.runs[0]?.change).toBeCloseTo(0.05, 12)
  })

  it('keeps suites apart, and shows those of one prompt or alias alone', async () => {
    await run({ suite: 'tone', params: { alias_chain: 'experiment,production' } })
    await run({ suite: 'routing', prompts: { router: { version: 1, digest: 'r1' } } })
    await run({ suite: 'tone' })
    const shown = async (query: Partial<TrendQuery>) =>
      (await read(query)).map(({ suite, runs }) => `${suite} ${runs.length}`)
    expect(await shown({})).toEqual(['routing 1', 'tone 2'])
    expect(await shown({ suites: ['tone', 'nothing', 'tone'] })).toEqual(['tone 2'])
    expect(await shown({ prompt: 'router' })).toEqual(['routing 1'])
    expect(await shown({ aliases: ['experiment'] })).toEqual(['tone 1'])
    expect(await shown({ aliases: ['experiment', 'production'] })).toEqual(['routing 1', 'tone 2'])
    expect(await shown({ experiment: 'another' })).toEqual([])
  })

  it('asks for no more pages than it needs', async () => {
    for (let i = 0; i < 250; i++) await run()
    let pages = 0
    const findRuns: typeof tracking.findRuns = (query) => {
      pages++
      return tracking.findRuns(query)
    }
    const [trend] = await readTrends(
      { experiment: 'evals', suites: ['tone'], limit: 20 },
      { tracking: { findRuns } },
    )
    expect({ pages, shown: trend?.runs.length, hasMore: trend?.hasMore }).toEqual({
      pages: 1,
      shown: 20,
      hasMore: true,
    })
    const [all] = await read({ limit: 1000 })
    expect(all).toMatchObject({ hasMore: false })
    expect(all?.runs).toHaveLength(250)
  })
})

describe('what changed among the prompts', () => {
  it.each([
    { rule: 'the same', older: memory(4), newer: memory(4), want: [] },
    { rule: 'a new version', older: memory(4), newer: memory(5), want: ['memory v4 -> v5'] },
    {
      rule: 'a number that stands for another text',
      older: memory(1, 'a'),
      newer: memory(1, 'b'),
      want: ['memory v1 -> v1 (another text)'],
    },
    {
      rule: 'a number with the same text',
      older: memory(1, 'a'),
      newer: memory(2, 'a'),
      want: ['memory v1 -> v2 (same text)'],
    },
    {
      rule: 'one that came and one that went',
      older: memory(1),
      newer: { tone: { version: 2, digest: 't' } },
      want: ['memory v1, not used any more', 'tone v2, not used before'],
    },
  ])('is told of $rule', async ({ older, newer, want }) => {
    await run({ prompts: older })
    await run({ prompts: newer as typeof older })
    expect((await only())[0]?.changed.map(describeChange)).toEqual(want)
  })
})
