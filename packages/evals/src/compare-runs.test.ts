import { beforeEach, describe, expect, it } from 'vitest'
import { type CompareOptions, compareRuns } from './compare-runs.ts'
import { EvalFailure } from './errors.ts'
import { createMemoryTracking } from './memory-tracking.fixture.ts'
import { mcnemarPValue } from './statistics/exact.ts'
import { HOUR_MS, passRates, type WrittenRun, writeRun } from './written-runs.fixture.ts'

let tracking: ReturnType<typeof createMemoryTracking>
let hour = 0
beforeEach(() => {
  tracking = createMemoryTracking()
  hour = 0
})

/** Each an hour after the one before it, with an id as long as MLflow's. */
async function run(written: WrittenRun = {}): Promise<string> {
  await writeRun(tracking, { startedAt: ++hour * HOUR_MS, ...written })
  const last = tracking.runs.at(-1)
  if (!last) throw new Error('no run was written')
  last.id = `${hour}${'abcdef0123456789'.repeat(2)}`.slice(0, 32)
  return last.id
}
const memory = (version: number) => ({ memory: { version, digest: `d${version}` } })
const before = (written: WrittenRun = {}) => run({ prompts: memory(4), ...written })
const after = (written: WrittenRun = {}) => run({ prompts: memory(5), ...written })
const compare = (candidate: string, baseline: string, options: Partial<CompareOptions> = {}) =>
  compareRuns(candidate, baseline, { experiment: 'evals', ...options }, { tracking })

describe('two runs of a suite', () => {
  it('are paired case by case: no worse', async () => {
    const baseline = await before({ scores: passRates(2) })
    const candidate = await after({ scores: passRates(0) })
    const found = await compare(candidate, baseline)
    expect(found).toMatchObject({ outcome: 'pass', exitCode: 0, problems: [], notes: [], unpaired: [] })
    expect(found.prompts).toEqual([{ prompt: 'memory', from: 4, to: 5, isOtherText: true }])
    expect(found.metrics.pass_rate).toMatchObject({
      better: 2,
      worse: 0,
      same: 38,
      method: 'mcnemar',
      pValue: 0.5,
    })
    expect(found.metrics.pass_rate?.difference).toBeCloseTo(0.05, 12)
    expect(found.cases).toEqual([
      { id: 'case-1', metric: 'pass_rate', change: 'better', baseline: [0], candidate: [1] },
      { id: 'case-2', metric: 'pass_rate', change: 'better', baseline: [0], candidate: [1] },
    ])
    expect(found.gates?.answers[0]).toMatchObject({ outcome: 'pass', n: 40, margin: 0.1 })
    expect(found.candidate).not.toHaveProperty('logged')
  })

  it('are worse, with the cases that got worse first', async () => {
    const baseline = await before({ scores: passRates(0) })
    const candidate = await after({ scores: passRates(12) })
    const found = await compare(candidate, baseline)
    expect(found).toMatchObject({ outcome: 'fail', exitCode: 1, problems: [] })
    expect(found.cases.filter(({ change }) => change === 'worse')).toHaveLength(12)
    expect(found.metrics.pass_rate?.pValue).toBeCloseTo(mcnemarPValue(0, 12), 12)
  })

  it('are too few cases to tell', async () => {
    const baseline = await before({ scores: passRates(0, 12) })
    const found = await compare(await after({ scores: passRates(0, 12) }), baseline)
    expect(found).toMatchObject({ outcome: 'inconclusive', exitCode: 2 })
    expect(found.gates?.answers[0]).toMatchObject({ minimum: 29, n: 12 })
  })

  it('are judged by another margin where one is given', async () => {
    const baseline = await before({ scores: passRates(0) })
    const candidate = await after({ scores: passRates(5) })
    expect(await compare(candidate, baseline)).toMatchObject({ exitCode: 1 })
    const found = await compare(candidate, baseline, { margin: 0.4 })
    expect(found.gates?.answers[0]).toMatchObject({ margin: 0.4 })
    await expect(compare(candidate, baseline, { margin: 1 })).rejects.toThrow('above 0 and below 1')
  })

  it('hold p-values for all metrics together, each in its own direction', async () => {
    const scores = (failed: number) => ({
      ...passRates(failed),
      'score.length': Object.fromEntries(
        Array.from({ length: 40 }, (_, i) => [`case-${i + 1}`, [i < failed ? 1 : 0.25]]),
      ),
    })
    const gates = [
      { metric: 'pass_rate', direction: 'higher', threshold: 0, margin: 0.2 },
      { metric: 'score.length', direction: 'lower', threshold: 1, margin: 0.2 },
    ]
    const baseline = await before({ scores: scores(0), gates })
    const found = await compare(await after({ scores: scores(6), gates }), baseline)
    expect(Object.keys(found.metrics)).toEqual(['pass_rate', 'score.length'])
    expect(found.metrics['score.length']).toMatchObject({
      direction: 'lower',
      worse: 6,
      better: 0,
      method: 'sign-flip',
    })
    expect(found.metrics['score.length']?.difference).toBeGreaterThan(0)
    expect(found.metrics.pass_rate?.pValue).toBeCloseTo(2 * mcnemarPValue(0, 6), 12)
    expect(
      found.cases.filter(({ metric, change }) => metric === 'score.length' && change === 'worse'),
    ).toHaveLength(6)
  })

  it("count clusters and slices as the dataset's file would say", async () => {
    const facts = Array.from({ length: 40 }, (_, i) => ({
      id: `case-${i + 1}`,
      cluster: `request-${i % 8}`,
      tags: i < 10 ? ['refund'] : [],
    }))
    const baseline = await before({ scores: passRates(0), facts })
    const clustered = await compare(await after({ scores: passRates(0), facts }), baseline)
    expect(clustered).toMatchObject({ outcome: 'inconclusive', gates: { answers: [{ n: 8 }] } })
    const sliced = await compare(await after({ scores: passRates(2), facts }), baseline)
    expect(sliced).toMatchObject({ outcome: 'fail', exitCode: 1 })
    expect(sliced.gates?.answers[0]?.slices).toMatchObject([{ tag: 'refund', n: 10, outcome: 'fail' }])
  })

  it('say which cases only one of them judged', async () => {
    const baseline = await before({ scores: passRates(0, 41) })
    const found = await compare(await after({ scores: passRates(0, 40) }), baseline)
    expect(found).toMatchObject({ outcome: 'inconclusive', exitCode: 2, unpaired: ['case-41'] })
    expect(found.gates?.reasons[0]).toContain('says nothing of case-41')
  })
})

describe('two runs that cannot be compared', () => {
  it.each([
    {
      rule: 'another model',
      written: { params: { model: 'model-2' } },
      want: 'not comparable: model differs',
    },
    {
      rule: 'another target',
      written: { params: { target: 'b.ts#b' } },
      want: 'not comparable: target differs',
    },
    {
      rule: 'another judge',
      written: { params: { judge_model: 'j' } },
      want: 'not comparable: judge_model differs',
    },
    {
      rule: "another judge's prompt",
      written: { params: { 'judge_prompt.judge': 'v2', 'judge_digest.judge': 'j2' } },
      want: "not comparable: judge's prompt only the candidate used judge",
    },
    {
      rule: 'two prompts that differ',
      written: { prompts: { ...memory(5), tone: { version: 1, digest: 't' } } },
      want: 'not comparable: only the candidate used tone',
    },
    {
      rule: 'a killed run',
      written: { status: 'KILLED' as const },
      want: 'the candidate is no evidence: it is KILLED',
    },
    {
      rule: 'a running one',
      written: { status: 'RUNNING' as const },
      want: 'the candidate is no evidence: it is RUNNING',
    },
    { rule: 'a shard', written: { tags: { 'promptkeep.shard': '1/2' } }, want: 'it is shard 1/2' },
    {
      rule: 'an invalid one',
      written: { tags: { 'promptkeep.invalid': 'a fallback' } },
      want: 'marked invalid: a fallback',
    },
    {
      rule: 'one with errors',
      written: { metrics: { errors: 1 } },
      want: '1 of its cases ended in an error',
    },
    { rule: 'one without estimand', written: { params: { estimand: null } }, want: 'does not say estimand' },
    {
      rule: 'one without gates',
      written: { params: { gates: null } },
      want: "does not say its suite's gates",
    },
    {
      rule: 'one whose facts are broken',
      written: { tags: { 'promptkeep.facts.0': '{' } },
      want: 'does not say',
    },
    {
      rule: 'one with what is no score',
      written: { scores: { pass_rate: { 'case-1': [7] } } },
      want: 'a score is between 0 and 1, not 7',
    },
  ])('cannot tell of $rule, and shows what there is', async ({ written, want }) => {
    const baseline = await before()
    const found = await compare(await after(written), baseline)
    expect(found).toMatchObject({ outcome: 'undecided', exitCode: 2 })
    expect(found.problems.join('\n')).toContain(want)
    expect(found.metrics.pass_rate).toBeDefined()
  })

  it.each([
    {
      rule: 'datasets',
      written: { params: { dataset_digest: 'dataset-2' } },
      want: 'dataset_digest differs',
    },
    { rule: 'suites', written: { suite: 'routing' }, want: 'suite differs' },
  ])('of two $rule are not paired at all', async ({ written, want }) => {
    const baseline = await before()
    const found = await compare(await after(written), baseline)
    expect(found).toMatchObject({ exitCode: 2, metrics: {}, cases: [] })
    expect(found.problems.join('\n')).toContain(want)
    expect(found).not.toHaveProperty('gates')
  })

  it('are not paired either where one says nothing by case, or both are one', async () => {
    const baseline = await before()
    const silent = await after({ scores: {} })
    const found = await compare(silent, baseline)
    expect(found).toMatchObject({ exitCode: 2, metrics: {} })
    expect(found.problems.join('\n')).toContain('does not say what each case scored')
    expect(await compare(baseline, baseline)).toMatchObject({
      exitCode: 2,
      problems: [`not comparable: both are the run ${baseline}`],
    })
  })

  it('can be, where they differ on purpose, except in what measures them', async () => {
    const baseline = await before()
    const candidate = await after({
      params: { model: 'model-2' },
      prompts: { ...memory(5), tone: { version: 1, digest: 't' } },
    })
    expect(await compare(candidate, baseline, { across: ['model'] })).toMatchObject({ exitCode: 2 })
    const found = await compare(candidate, baseline, { across: ['model', 'prompts'] })
    expect(found).toMatchObject({ outcome: 'pass', exitCode: 0 })
    expect(found.notes).toHaveLength(3)
    const judged = await after({ params: { judge_model: 'j' } })
    expect(await compare(judged, baseline, { across: ['model', 'target', 'prompts'] })).toMatchObject({
      exitCode: 2,
    })
  })
})

describe('what a reader should know', () => {
  it.each([
    { rule: 'the same texts', written: { prompts: memory(4) }, want: 'no prompt differs' },
    {
      rule: 'a bar that is missed',
      written: {
        gates: [{ metric: 'pass_rate', direction: 'higher', threshold: 1, margin: 0.2 }],
        scores: passRates(1),
      },
      want: 'does not reach its own bars: pass_rate is 0.975, and must be ≥ 1',
    },
    {
      rule: 'other gates',
      written: { gates: [{ metric: 'pass_rate', direction: 'higher', threshold: 0.1, margin: 0.2 }] },
      want: "the candidate's decide",
    },
  ])('is $rule', async ({ written, want }) => {
    const baseline = await before()
    const found = await compare(await after(written), baseline)
    expect(found).toMatchObject({ outcome: 'pass', exitCode: 0 })
    expect(found.notes.join('\n')).toContain(want)
  })
})

describe('a run is named', () => {
  it('by its id, the beginning of it, latest and previous', async () => {
    await before({ status: 'KILLED' })
    const first = await before()
    await before({ params: { dataset_digest: 'dataset-2' } })
    const second = await after()
    await after({ tags: { 'promptkeep.invalid': 'x' } })
    await after({ suite: 'routing' })
    const named = async (candidate: string, baseline: string, options: Partial<CompareOptions> = {}) => {
      const found = await compare(candidate, baseline, options)
      return [found.candidate.id, found.baseline.id]
    }
    expect(await named('latest', 'previous', { suite: 'tone' })).toEqual([second, first])
    expect(await named(second, 'previous')).toEqual([second, first])
    expect(await named(`runs:/${second}`, first.slice(0, 8))).toEqual([second, first])
    expect(await named(first, 'latest')).toEqual([first, second])
  })

  it.each([
    { refs: ['latest', 'previous'], want: 'name the suite' },
    { refs: ['previous', 'latest'], options: { suite: 'tone' }, want: 'give it as the baseline' },
    { refs: ['1abc', 'previous'], want: '1abc is too short' },
    { refs: ['1abcdef0', 'previous'], options: { suite: 'routing' }, want: 'is of tone, and not of routing' },
    {
      refs: ['zzzzzzzz', 'previous'],
      want: 'no eval run of the MLflow experiment evals has an id that starts with zzzzzzzz',
    },
    { refs: ['f'.repeat(32), 'previous'], want: 'the tracking server has no run' },
    { refs: ['a b', 'previous'], want: 'a run is named by its id' },
    { refs: ['1abcdef0', 'previous'], want: 'no complete run of tone on the same dataset before' },
    {
      refs: ['latest', 'previous'],
      options: { suite: 'nothing' },
      want: 'there is no complete run of nothing',
    },
  ])('not by $refs: $want', async ({ refs: [candidate = '', baseline = ''], options, want }) => {
    await before()
    const failure = await compare(candidate, baseline, options ?? {}).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(EvalFailure)
    expect(failure).toMatchObject({ code: 'CONFIGURATION', message: expect.stringContaining(want) })
  })

  it('by a beginning that is of one run alone, and of an eval', async () => {
    await before()
    await after()
    for (const [i, one] of tracking.runs.entries()) one.id = `abcdef01${i}${'0'.repeat(23)}`
    await expect(compare('abcdef01', 'previous')).rejects.toThrow("the beginning of more than one run's id")
    const foreign = tracking.runs[1]
    if (foreign) foreign.params = {}
    await expect(compare(foreign?.id ?? '', 'previous')).rejects.toThrow('it has no param suite')
  })
})
