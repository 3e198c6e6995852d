import { beforeEach, describe, expect, it } from 'vitest'
import { findBaseline, findRuns, readEvalRun, whyNotComparable } from './eval-run.ts'
import { createMemoryTracking, type MemoryRun } from './memory-tracking.fixture.ts'

const DIGEST = 'a'.repeat(64)
const OTHER = 'b'.repeat(64)
const PARAMS = {
  suite: 'tone',
  dataset: 'tone.yaml',
  dataset_digest: 'd1',
  target: 'assistant.ts#chat',
  estimand: 'such-cases',
  trials: '3',
  fingerprint: 'f',
  alias_chain: 'experiment,production',
  model: 'm',
  'prompt.memory': 'v4',
  'prompt_digest.memory': DIGEST,
  'prompt_alias.memory': 'experiment',
  judge_model: 'j',
  'judge_prompt.judge': 'v2',
  'judge_digest.judge': OTHER,
  git_commit: 'abc',
  git_dirty: 'true',
  seed: '7',
}

let tracking: ReturnType<typeof createMemoryTracking>
beforeEach(() => {
  tracking = createMemoryTracking()
})

async function logged(
  changes: Partial<MemoryRun> = {},
  params: Record<string, string> = {},
): Promise<MemoryRun> {
  const { id } = await tracking.startRun({ experiment: 'evals', name: 'tone', tags: {}, startedAt: 1000 })
  const run = tracking.runs.find((one) => one.id === id) as MemoryRun
  return Object.assign(run, {
    status: 'FINISHED',
    endedAt: 2000,
    params: { ...PARAMS, ...params },
    metrics: { errors: 0, pass_rate: 0.5, 'trial.pass_rate': 1 },
    ...changes,
  })
}

describe('a run that is read back', () => {
  it('says all that was logged', async () => {
    expect(readEvalRun(await logged({ tags: { 'promptkeep.verdict': 'pass' } }))).toEqual({
      id: 'r1',
      experimentId: '1',
      status: 'FINISHED',
      startedAt: 1000,
      endedAt: 2000,
      suite: 'tone',
      dataset: 'tone.yaml',
      datasetDigest: 'd1',
      prompts: { memory: { version: 4, digest: DIGEST, alias: 'experiment' } },
      fingerprint: 'f',
      aliasChain: ['experiment', 'production'],
      target: 'assistant.ts#chat',
      model: 'm',
      judgeModel: 'j',
      judgePrompts: { judge: { version: 2, digest: OTHER } },
      trials: 3,
      estimand: 'such-cases',
      seed: 7,
      gitCommit: 'abc',
      isGitDirty: true,
      metrics: { errors: 0, pass_rate: 0.5 },
      verdict: 'pass',
      isComplete: true,
      missing: [],
    })
  })

  it('says what a Python program left out, and makes nothing up', async () => {
    const params = { suite: 'tone', dataset_digest: 'd1', 'prompt.memory': 'four' }
    const run = readEvalRun(await logged({ params, metrics: {} }))
    expect(run).toMatchObject({ prompts: { memory: {} }, aliasChain: [], judgePrompts: {}, isComplete: true })
    expect(run.prompts.memory).toEqual({})
    expect(run).not.toHaveProperty('estimand')
    expect(run.missing).toEqual([
      'target',
      'estimand',
      'trials',
      'fingerprint',
      'errors',
      'prompt.memory',
      'prompt_digest.memory',
    ])
  })

  it.each<{ what: string; changes: Partial<MemoryRun> }>([
    { what: 'that goes on', changes: { status: 'RUNNING' } },
    { what: 'that was interrupted', changes: { status: 'KILLED' } },
    { what: 'with an error', changes: { metrics: { errors: 1 } } },
    { what: 'with cases that were not run', changes: { metrics: { errors: 0, not_run: 2 } } },
    { what: 'of a shard', changes: { tags: { 'promptkeep.shard': '1/2' } } },
    { what: 'that is marked, without a reason', changes: { tags: { 'promptkeep.invalid': '' } } },
  ])('is not complete: one $what', async ({ changes }) => {
    expect(readEvalRun(await logged(changes)).isComplete).toBe(false)
  })
})

describe('finding runs', () => {
  it('reads page after page, newest first, and passes over runs of no suite', async () => {
    for (let i = 0; i < 150; i++) await logged({ startedAt: 1000 + i })
    await logged({ params: {}, startedAt: 5000 })
    const times: number[] = []
    for await (const run of findRuns(tracking, { experiment: 'evals' })) times.push(run.startedAt)
    expect(times).toEqual(Array.from({ length: 150 }, (_, i) => 1149 - i))
  })

  it('finds nothing in an experiment that is not there', async () => {
    await logged()
    const found: unknown[] = []
    for await (const run of findRuns(tracking, { experiment: 'others' })) found.push(run)
    expect(found).toEqual([])
  })

  it("refuses what MLflow's filter cannot say", async () => {
    const first = findRuns(tracking, { experiment: 'evals', suite: "it's" }).next()
    await expect(first).rejects.toMatchObject({ code: 'CONFIGURATION', message: /it's.* holds a quote/ })
  })
})

describe('the baseline', () => {
  const wanted = { experiment: 'evals', suite: 'tone', datasetDigest: 'd1', prompt: 'memory', digest: DIGEST }

  it('is the complete run of this text that ended last', async () => {
    await logged({ endedAt: 2000 })
    const { id } = await logged({ endedAt: 3000 })
    await logged({ endedAt: 2500, startedAt: 2400 })
    for (const tags of [{ 'promptkeep.invalid': 'moved' }, { 'promptkeep.shard': '1/2' }])
      await logged({ endedAt: 4000, tags })
    await logged({ endedAt: 4000, status: 'FAILED' })
    await logged({ endedAt: 4000, metrics: { errors: 2 } })
    await logged({ endedAt: 4000 }, { suite: 'quality' })
    await logged({ endedAt: 4000 }, { dataset_digest: 'd2' })
    await logged({ endedAt: 4000 }, { 'prompt_digest.memory': OTHER })
    expect(await findBaseline(tracking, wanted)).toMatchObject({ id, logged: { id } })
  })

  it('is none when no run judged this text', async () => {
    await logged({}, { 'prompt_digest.memory': OTHER })
    expect(await findBaseline(tracking, wanted)).toBeUndefined()
  })
})

describe('two runs', () => {
  const compare = async (params: Record<string, string>, prompt?: string, drop: string[] = []) => {
    const baseline = await logged()
    const candidate = await logged({}, params)
    for (const key of drop) for (const run of [baseline, candidate]) delete run.params[key]
    return whyNotComparable(readEvalRun(candidate), readEvalRun(baseline), prompt)
  }

  it('are comparable when the candidate alone differs', async () => {
    expect(await compare({ 'prompt_digest.memory': OTHER, 'prompt.memory': 'v5' }, 'memory')).toEqual([])
    expect(await compare({ 'prompt_digest.memory': OTHER })).toEqual([])
  })

  it.each<{ params: Record<string, string>; why: RegExp }>([
    { params: { suite: 'quality' }, why: /^suite differs: quality \(candidate\), tone \(baseline\)$/ },
    { params: { dataset_digest: 'd2' }, why: /^dataset_digest differs: d2 / },
    { params: { target: 'other' }, why: /^target differs/ },
    { params: { estimand: 'these-cases' }, why: /^estimand differs/ },
    { params: { model: 'm2' }, why: /^model differs/ },
    { params: { judge_model: 'j2' }, why: /^judge_model differs/ },
    { params: { 'judge_digest.judge': DIGEST }, why: /^judge's prompt judge differs: v2 aaaaaaaaaaaa / },
    { params: { 'judge_digest.more': DIGEST }, why: /^judge's prompt only the candidate used more$/ },
    { params: { 'prompt_digest.tone': DIGEST, 'prompt.tone': 'v1' }, why: /^only the candidate used tone$/ },
    { params: { 'prompt.tone': 'v1' }, why: /^only the candidate used tone$/ },
  ])('are not: $why', async ({ params, why }) => {
    expect(await compare({ ...params, 'prompt_digest.memory': OTHER }, 'memory')).toEqual([
      expect.stringMatching(why),
    ])
  })

  it('are not when what must be the same is not said', async () => {
    expect(await compare({}, 'memory', ['target'])).toEqual([
      'the candidate and the baseline do not say target',
    ])
    const [why] = await compare({}, 'memory', ['prompt_digest.memory'])
    expect(why).toBe('the candidate does not say which text of memory it used')
  })

  it('are not one run', async () => {
    const run = readEvalRun(await logged())
    expect(whyNotComparable(run, run)).toEqual(['both are the run r1'])
  })

  it('without a prompt in question may differ in one', async () => {
    const both = { 'prompt_digest.memory': OTHER, 'prompt_digest.tone': DIGEST }
    expect(await compare(both)).toEqual([
      'memory differs: v4 bbbbbbbbbbbb (candidate), v4 aaaaaaaaaaaa (baseline)',
      'only the candidate used tone',
    ])
  })
})
