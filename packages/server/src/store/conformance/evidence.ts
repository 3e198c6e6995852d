import { digestOf, TAG } from '@promptkeep/client/protocol'
import { describe, expect, it } from 'vitest'
import type { Author, Store } from '../store.ts'
import {
  admin,
  by,
  EVIDENCE,
  evaluator,
  guarded,
  policyOf,
  promote,
  RECENT,
  refusedFor,
  runOf,
  type Sketch,
  writer,
} from './policy-support.ts'
import { ada, draftOf, type OpenStore, withPrompt } from './support.ts'

export function describeEvidence(open: OpenStore) {
  describe('evidence', () => {
    it('moves with a run that judged the version, and keeps the run in the log', async () => {
      const store = await guarded(open)
      const id = await runOf(store)
      await expect(promote(store)).rejects.toMatchObject(
        refusedFor('evidence', 'promptkeep alias memory production 2 --evidence', 'Promptkeep-Evidence'),
      )
      const change = await promote(store, { evidence: id })
      expect(change).toMatchObject({ from: 1, to: 2, evidence: `runs:/${id}` })
      expect(change.forced).toBeUndefined()
      await runOf(store, { version: 2 })
      const next = await runOf(store, { version: 3 })
      expect(await promote(store, { evidence: `runs:/${next}` }, 3)).toMatchObject({
        evidence: `runs:/${next}`,
      })
    })

    const digest = 'prompt_digest.memory'
    const clauses: [clause: string, why: string, sketch: Sketch, found: string][] = [
      ['finished', 'still runs', { status: 'RUNNING' }, 'is RUNNING'],
      ['finished', 'failed', { status: 'FAILED' }, 'is FAILED'],
      ['finished', 'was killed', { status: 'KILLED' }, 'is KILLED'],
      ['age', 'is too old', { endTime: RECENT - 60_000 }, '61 s ago'],
      ['age', 'ends in the future', { endTime: RECENT + 120_000 }, 'still to come'],
      ['version', 'judged another version', { params: { 'prompt.memory': 'v3' } }, 'prompt.memory = "v3"'],
      ['version', 'judged no version of it', { params: { 'prompt.memory': undefined } }, 'has no param'],
      ['digest', 'judged another text', { params: { [digest]: 'f'.repeat(64) } }, `${digest} = "ffff`],
      ['digest', 'says no digest', { params: { [digest]: undefined } }, `no param ${digest}`],
      ['dataset', 'used another dataset', { params: { dataset_digest: 'd2' } }, 'dataset_digest d2'],
      ['dataset', 'says no dataset', { params: { dataset_digest: undefined } }, 'no param dataset_digest'],
      ['dataset', 'says no suite', { params: { suite: undefined } }, 'no param suite'],
      ['dataset', 'ran a suite without a baseline', { params: { suite: 'other' } }, 'no baseline run'],
      ['verdict', 'failed its gate', { tags: { 'promptkeep.verdict': 'fail' } }, '= "fail"'],
      ['verdict', 'has no verdict', { tags: { 'promptkeep.verdict': undefined } }, 'has no tag'],
      ['verdict', 'was judged by a writer', { author: writer }, 'written by wren'],
      ['verdict', 'was judged by an admin who is no evaluator', { author: admin }, 'written by root'],
      ['verdict', 'was judged by nobody known', { author: ada }, 'written by ada'],
      ['invalid', 'is marked invalid', { tags: { 'promptkeep.invalid': 'a fallback' } }, '"a fallback"'],
      ['invalid', 'is marked invalid without a word', { tags: { 'promptkeep.invalid': '' } }, 'invalid'],
    ]
    it.each(clauses)('clause %s: a run that %s is none, and without that it is', async (...given) => {
      const [clause, , sketch, found] = given
      const store = await guarded(open, { ...EVIDENCE, maxAgeMs: 60_000 })
      const flawed = await runOf(store, sketch)
      await expect(promote(store, { evidence: flawed })).rejects.toMatchObject(refusedFor(clause, found))
      expect((await store.aliases.find('memory', 'production'))?.version).toBe(1)
      expect(await promote(store, { evidence: await runOf(store) })).toMatchObject({ to: 2 })
    })

    it.each(['my prompt@é', `long-${'x'.repeat(300)}`])(
      'clause version: no run can judge %s',
      async (name) => {
        const store = await guarded(open)
        await withPrompt(store, name, 'one')
        const evidence = await runOf(store)
        await expect(promote(store, { evidence }, 1, name)).rejects.toMatchObject(
          refusedFor('version', 'no run can say', 'forces it'),
        )
        await promote(store, { ...admin, force: true, reason: 'it has this name' }, 1, name)
      },
    )

    it('clause run: there must be one', async () => {
      const store = await guarded(open)
      for (const evidence of ['', 'runs:/', 'no-such-run', "' or 1=1 --", 'runs:/runs:/x'])
        await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('run', 'has no run'))
    })

    it('reads an age to the millisecond, and takes any where the policy has none', async () => {
      let time = RECENT + 60_000
      const store = await guarded(open, { ...EVIDENCE, maxAgeMs: 60_000 }, () => time)
      const evidence = await runOf(store)
      await promote(store, { evidence })
      time++
      await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('age', '61 s ago'))
      await store.policies.set(policyOf(EVIDENCE), admin)
      await promote(store, { evidence })
    })

    it('reads the age of the verdict too, by the clock of the server', async () => {
      let time = RECENT + 60_000
      const store = await guarded(open, { ...EVIDENCE, maxAgeMs: 60_000 }, () => time)
      const id = await runOf(store, { status: 'RUNNING' })
      time += 60_000
      // It ends now, and does not lose the verdict that it was given while it went on.
      await store.runs.update(id, { status: 'FINISHED', endTime: time })
      await promote(store, { evidence: id })
      time++
      await expect(promote(store, { evidence: id })).rejects.toMatchObject(
        refusedFor('age', 'verdict', '61 s ago'),
      )
      await store.policies.set(policyOf(EVIDENCE), admin)
      await promote(store, { evidence: id })
    })

    it.each<[what: string, change: Parameters<Store['runs']['update']>[1]]>([
      ['another time', { endTime: RECENT + 1 }],
      ['another status', { status: 'FAILED' }],
      ['that it goes on', { status: 'RUNNING' }],
    ])('counts no verdict from before the end of its run was changed: %s', async (_, change) => {
      const store = await guarded(open)
      const id = await runOf(store)
      await store.runs.update(id, { status: 'FINISHED', endTime: RECENT, name: 'a better name' })
      await promote(store, { evidence: id })
      await store.runs.update(id, change)
      await store.runs.update(id, { status: 'FINISHED', endTime: RECENT })
      await expect(promote(store, { evidence: id })).rejects.toMatchObject(
        refusedFor('verdict', 'end was changed'),
      )
      await store.runs.log(
        id,
        { metrics: [], params: [], tags: [{ key: 'promptkeep.verdict', value: 'pass' }] },
        evaluator,
      )
      await promote(store, { evidence: id })
    })

    it('refuses evidence for another prompt that had this name and number', async () => {
      const store = await guarded(open)
      const evidence = await runOf(store)
      await store.prompts.delete('memory', { ...admin, force: true, reason: 'start over' })
      await withPrompt(store, 'memory', 'one', 'another two')
      await expect(promote(store, { evidence })).rejects.toMatchObject(
        refusedFor('digest', 'prompt_digest.memory'),
      )
      // The same text again is what was judged.
      await store.prompts.delete('memory', admin)
      await withPrompt(store, 'memory', 'one', 'two')
      expect(await promote(store, { evidence })).toMatchObject({ to: 2 })
    })

    it('refuses evidence for what a version said before its model config was edited', async () => {
      const store = await guarded(open)
      const evidence = await runOf(store)
      await store.versions.setTag('memory', 2, TAG.modelConfig, '{"temperature":1}', writer)
      await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('digest'))
      await store.versions.deleteTag('memory', 2, TAG.modelConfig, writer)
      await promote(store, { evidence })
    })

    it('takes the newest finished, valid run of the same suite as baseline, and names the command that makes one', async () => {
      const store = await guarded(open)
      const evidence = await runOf(store, { params: { dataset_digest: 'd2' } })
      const make = 'promptkeep eval evals/tone.yaml --prompt-alias=production'
      await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('dataset', make))
      const baseline = { version: 1, params: { dataset_digest: 'd2' } } satisfies Sketch
      for (const useless of [
        { status: 'FAILED' },
        { tags: { 'promptkeep.invalid': 'a fallback' } },
        { params: { ...baseline.params, suite: 'other' } },
        { params: { ...baseline.params, [digest]: 'f'.repeat(64) } },
        { endTime: RECENT - 9000 },
        { endTime: RECENT + 999_999 },
      ] satisfies Sketch[])
        await runOf(store, { ...baseline, ...useless })
      await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('dataset', make))
      await runOf(store, { ...baseline, tags: { 'promptkeep.verdict': 'fail' } })
      await promote(store, { evidence })
    })

    it('needs no baseline where the alias is not set', async () => {
      const store = await guarded(open)
      await withPrompt(store, 'tone', 'one')
      const evidence = await runOf(store, { name: 'tone', version: 1 })
      expect(await promote(store, { evidence }, 1, 'tone')).toMatchObject({ to: 1 })
    })

    it('takes a command line from a run only when it looks like a suite', async () => {
      const store = await guarded(open)
      const tags = { 'mlflow.source.name': '$(rm -rf ~).yaml' }
      const evidence = await runOf(store, { tags, params: { suite: 'other' } })
      await expect(promote(store, { evidence })).rejects.toMatchObject(
        refusedFor('dataset', "eval '<suite>'"),
      )
    })

    it.each(['a.b', 'prompt.memory', 'über', 'with space', '-x', '_'])(
      'works for the name %s',
      async (name) => {
        const store = await guarded(open)
        await withPrompt(store, name, 'one', 'two')
        const first = await runOf(store, { name, version: 1 })
        await promote(store, { evidence: first }, 1, name)
        await promote(store, { evidence: await runOf(store, { name, version: 2 }) }, 2, name)
        const third = await store.versions.create(await draftOf(name, 'three'), writer)
        await expect(promote(store, { evidence: first }, third.version, name)).rejects.toMatchObject(
          refusedFor('version'),
        )
      },
    )

    it('is void when params are added after the verdict, until an evaluator judges again', async () => {
      const store = await guarded(open)
      const id = await runOf(store, { params: { [digest]: undefined } })
      const two = await digestOf({ template: 'two' })
      await store.runs.log(id, { metrics: [], params: [{ key: digest, value: two }], tags: [] }, evaluator)
      await expect(promote(store, { evidence: id })).rejects.toMatchObject(refusedFor('verdict', 'params'))
      const verdict = { key: 'promptkeep.verdict', value: 'pass' }
      await store.runs.log(id, { metrics: [], params: [], tags: [verdict] }, evaluator)
      // The same param again says nothing new.
      await store.runs.log(id, { metrics: [], params: [{ key: digest, value: two }], tags: [] }, evaluator)
      await promote(store, { evidence: id })
    })

    it('counts who wrote the verdict last', async () => {
      const store = await guarded(open)
      const id = await runOf(store)
      const judge = (author: Author, value = 'pass') =>
        store.runs.log(id, { metrics: [], params: [], tags: [{ key: 'promptkeep.verdict', value }] }, author)
      await judge(admin)
      await expect(promote(store, { evidence: id })).rejects.toMatchObject(refusedFor('verdict', 'root'))
      await judge(evaluator, 'fail')
      await expect(promote(store, { evidence: id })).rejects.toMatchObject(refusedFor('verdict', 'fail'))
      await judge(by('both', 'evaluator', 'promoter'))
      await promote(store, { evidence: id })
    })

    it('does not count a verdict whose token was revoked since', async () => {
      const store = await guarded(open)
      const token = {
        name: 'ci',
        roles: ['evaluator'],
        hash: 'h',
        expiresAt: undefined,
        createdBy: 'root',
      } as const
      await store.tokens.create({ id: evaluator.tokenId ?? '', ...token })
      const evidence = await runOf(store)
      await promote(store, { evidence })
      await store.tokens.revoke('ci')
      await runOf(store, { author: by('ci2', 'evaluator') })
      await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('verdict', 'revoked'))
    })
  })
}
