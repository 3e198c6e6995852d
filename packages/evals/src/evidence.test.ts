import { describe, expect, it } from 'vitest'
import { type EvidenceQuery, findEvidence } from './evidence.ts'
import { createMemoryTracking, type MemoryRun } from './memory-tracking.fixture.ts'

const NOW = 1_000_000_000
const DIGEST = 'a'.repeat(64)

async function find(change: (run: MemoryRun) => unknown, query: Partial<EvidenceQuery> = {}) {
  const tracking = createMemoryTracking()
  const run = await tracking.startRun({ experiment: 'evals', name: 'tone', tags: {}, startedAt: NOW - 2000 })
  await run.logParams({
    ...{ suite: 'tone', dataset_digest: 'd', manifest_digest: 'm', model: 'large', judge_model: 'wise' },
    ...{ 'prompt.memory': 'v2', 'prompt_digest.memory': DIGEST },
  })
  await run.logMetrics({ errors: 0, not_run: 0 }, NOW - 1000)
  await run.finish('FINISHED', NOW - 1000)
  for (const one of tracking.runs) change(one)
  return findEvidence(tracking, {
    experiment: 'evals',
    suite: {
      suite: { name: 'tone', hard: [], estimand: 'these-cases', deterministic: false },
      dataset: { digest: 'd', cases: [] },
    },
    of: { name: 'memory', version: 2, digest: DIGEST },
    freshSince: NOW - 60_000,
    now: NOW,
    ...query,
  })
}

const nothing = () => {}

describe('evidence', () => {
  it('is a run of this text on this dataset, made as it would be now', async () => {
    const as = { manifestDigest: 'm', model: 'large', judgeModel: 'wise' }
    expect(await find(nothing, { as, byNumber: true })).toMatchObject({ run: { id: 'r1' } })
  })

  it.each<[string, (run: MemoryRun) => unknown, Partial<EvidenceQuery>, RegExp]>([
    ['that ends in the future', (run) => Object.assign(run, { endedAt: NOW + 61_000 }), {}, /still to come/],
    ['that is stale', (run) => Object.assign(run, { endedAt: NOW - 60_001 }), {}, /stale/],
    ['of other rules', nothing, { as: { manifestDigest: 'other' } }, /manifest_digest/],
    ['of another model', nothing, { as: { model: 'small' } }, /model large answered/],
    ['of another judge', nothing, { as: { judgeModel: 'rash' } }, /model wise judged it/],
    ['that a shard ran', ({ tags }) => Object.assign(tags, { 'promptkeep.shard': '1/2' }), {}, /shard 1\/2/],
    [
      'that left cases out',
      ({ metrics }) => Object.assign(metrics, { not_run: 1 }),
      {},
      /1 of its cases were not run/,
    ],
    ['that goes on', (run) => Object.assign(run, { status: 'RUNNING' }), {}, /it is RUNNING/],
    [
      'of this text under another number',
      nothing,
      { of: { name: 'memory', version: 5, digest: DIGEST }, byNumber: true },
      /judged this text as v2/,
    ],
    [
      'of this number under another text',
      nothing,
      { of: { name: 'memory', version: 2, digest: 'b'.repeat(64) } },
      /no run of this suite judged memory v2/,
    ],
  ])('is no run %s', async (_, change, query, says) => {
    expect(await find(change, query)).toEqual({ missing: expect.stringMatching(says) })
  })

  describe('where a suite used other prompts', () => {
    const of = { name: 'voice', version: 1, digest: 'c'.repeat(64) }
    const mark =
      (text: string) =>
      ({ tags }: MemoryRun) =>
        Object.assign(tags, { 'promptkeep.invalid': text })

    it('does not concern a prompt that it did not use', async () => {
      expect(await find(nothing, { of })).toEqual({ notConcerned: 'run r1 used memory' })
      const unused = mark('no case used a prompt that has alias experiment (voice v1)')
      expect(await find(unused, { of })).toEqual({ notConcerned: 'run r1 used memory' })
    })

    it('says nothing of it where it broke, for that may have hidden a use', async () => {
      for (const text of ['voice fell back to the bundled default', 'interrupted'])
        expect(await find(mark(text), { of })).toMatchObject({ missing: expect.any(String) })
      expect(await find((run) => Object.assign(run, { endedAt: NOW + 61_000 }), { of })).toMatchObject({
        missing: expect.any(String),
      })
    })
  })
})
