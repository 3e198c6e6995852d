import { type Change, checkWeights, digestOf, TAG, writeRollout } from '@promptkeep/client/protocol'
import { describe, expect, it } from 'vitest'
import { ANYBODY, type Author, type Rollout, type Store } from '../store.ts'
import { admin, by, guarded, policyOf, promote, promoter, refusedFor, runOf } from './policy-support.ts'
import { ada, draftOf, type OpenStore, opened, promptTags, withPrompt } from './support.ts'

const TAG_KEY = `${TAG.rolloutPrefix}production`

const split = (store: Store, weights: object, more: Partial<Rollout> = {}) =>
  store.aliases.setRollout({
    name: 'memory',
    alias: 'production',
    weights: checkWeights(weights),
    ...ada,
    ...more,
  })
/** What a reader is told: the version that the alias points at, and the weights on it. */
async function says(store: Store) {
  const version = await store.aliases.find('memory', 'production')
  return [version?.version, version?.tags[TAG_KEY]]
}
const weightsOn = async (store: Store, version: number) =>
  (await store.versions.get('memory', version)).tags[TAG_KEY]
const told = (changes: readonly Change[]) =>
  changes.map(({ kind, from, to, evidence }) => [kind, from, to, evidence])
const edit = (before: string | null, after: string | null) => JSON.stringify({ before, after })

/** `memory` with three versions, production at the first. */
async function served(open: OpenStore): Promise<Store> {
  const store = await opened(open)
  await withPrompt(store, 'memory', 'one', 'two', 'three')
  await store.aliases.move({ name: 'memory', alias: 'production', to: 1, ...ada })
  return store
}

export function describeRollout(open: OpenStore) {
  describe('rollouts', () => {
    it('shares an alias: the weights of the others stand on the version that it points at', async () => {
      const store = await served(open)
      const made = await split(store, { 1: 90, 2: 10 }, { reason: 'a first look' })
      expect(made).toEqual([
        {
          seq: 5,
          kind: 'rollout.changed',
          prompt: 'memory',
          alias: 'production',
          to: 1,
          digest: await digestOf({ template: 'one' }),
          actor: 'ada',
          reason: 'a first look',
          evidence: edit(null, '{"2":10}'),
          at: expect.any(Number),
        },
      ])
      expect(await store.changes.after(4, 10)).toEqual(made)
      expect(await says(store)).toEqual([1, '{"2":10}'])
      expect(told(await split(store, { 1: 50, 2: 30, 3: 20 }))).toEqual([
        ['rollout.changed', undefined, 1, edit('{"2":10}', '{"2":30,"3":20}')],
      ])
      expect(await says(store)).toEqual([1, '{"2":30,"3":20}'])
    })

    it('the same again is no change', async () => {
      const store = await served(open)
      await split(store, { 1: 90, 2: 10 })
      expect(await split(store, { 2: 10, 1: 90 })).toEqual([])
      expect(await split(store, { 1: 100 })).toHaveLength(1)
      expect(await split(store, { 1: 100 })).toEqual([])
      expect((await store.changes.bounds()).last).toBe(6)
    })

    it('ends where it began: the tag goes', async () => {
      const store = await served(open)
      await split(store, { 1: 90, 2: 10 })
      expect(told(await split(store, { 1: 100 }))).toEqual([
        ['rollout.changed', undefined, 1, edit('{"2":10}', null)],
      ])
      expect(await says(store)).toEqual([1, undefined])
    })

    it('ends at another version: the alias moves, and the weights that it leaves go too', async () => {
      const store = await served(open)
      await split(store, { 1: 90, 2: 10 })
      expect(told(await split(store, { 2: 100 }))).toEqual([
        ['alias.moved', 1, 2, undefined],
        ['rollout.changed', undefined, 1, edit('{"2":10}', null)],
      ])
      expect(await says(store)).toEqual([2, undefined])
      expect(await weightsOn(store, 1)).toBeUndefined()
    })

    it('points the alias at the largest share where it is at none of them, and of equal ones at the lowest', async () => {
      const store = await served(open)
      await split(store, { 1: 90, 2: 10 })
      expect(told(await split(store, { 2: 40, 3: 60 }))).toEqual([
        ['rollout.changed', undefined, 3, edit(null, '{"2":40}')],
        ['alias.moved', 1, 3, undefined],
        ['rollout.changed', undefined, 1, edit('{"2":10}', null)],
      ])
      expect(await says(store)).toEqual([3, '{"2":40}'])
      await split(store, { 1: 50, 2: 50 })
      expect(await says(store)).toEqual([1, '{"2":50}'])
    })

    it('sets an alias that is unset', async () => {
      const store = await opened(open)
      await withPrompt(store, 'memory', 'one', 'two')
      expect(told(await split(store, { 1: 25, 2: 75 }, { expected: null }))).toEqual([
        ['rollout.changed', undefined, 2, edit(null, '{"1":25}')],
        ['alias.moved', undefined, 2, undefined],
      ])
      expect(await says(store)).toEqual([2, '{"1":25}'])
    })

    it('a rollback brings back the split as it was, also after the alias went on', async () => {
      const store = await served(open)
      await split(store, { 1: 90, 2: 10 })
      await split(store, { 2: 40, 3: 60 })
      const back = { name: 'memory', alias: 'production', ...ada, reason: 'it was better' }
      await store.history.rollback(back)
      expect(await says(store)).toEqual([1, '{"2":10}'])
      await store.history.rollback(back)
      expect(await says(store)).toEqual([3, '{"2":40}'])
    })

    it('compares the version that the caller expects, and writes nothing when it is another', async () => {
      const store = await served(open)
      await expect(split(store, { 1: 90, 2: 10 }, { expected: 2 })).rejects.toMatchObject({
        code: 'CONFLICT',
        current: 1,
      })
      await expect(split(store, { 1: 90, 2: 10 }, { expected: null })).rejects.toMatchObject({ current: 1 })
      expect(await says(store)).toEqual([1, undefined])
      expect(await split(store, { 1: 90, 2: 10 }, { expected: 1 })).toHaveLength(1)
    })

    it('every version must be there and have a text, or nothing is written', async () => {
      const store = await served(open)
      await store.versions.create(await draftOf('memory', ' \n'), ada)
      const plain = { name: 'memory', source: 's', runId: '', runLink: '', description: '', tags: {} }
      await store.versions.create(plain, ada)
      await store.versions.delete('memory', 3, ada)
      const { last } = await store.changes.bounds()
      await expect(split(store, { 1: 90, 9: 10 })).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' })
      await expect(split(store, { 1: 90, 3: 10 })).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' })
      await expect(split(store, { 1: 90, 4: 10 })).rejects.toThrow('Version 4 of memory has no text')
      await expect(split(store, { 1: 90, 5: 10 })).rejects.toThrow(/Version 5 of memory .*cannot be served/)
      await expect(split(store, { 1: 100 }, { name: 'nobody' })).rejects.toMatchObject({
        code: 'PROMPT_NOT_FOUND',
      })
      expect(await says(store)).toEqual([1, undefined])
      expect((await store.changes.bounds()).last).toBe(last)
    })

    it.each([
      { what: 'weights only', weights: { 1: 90, 2: 10 } },
      { what: 'a move only', weights: { 2: 100 } },
      { what: 'weights and a move', weights: { 2: 60, 3: 40 } },
    ])('the same request again answers the changes that it made: $what', async ({ weights }) => {
      for (const isSplitBefore of [false, true]) {
        const store = await served(open)
        if (isSplitBefore) await split(store, { 1: 70, 3: 30 })
        const request = { requestId: 'r1', expected: 1 }
        const made = await split(store, weights, request)
        expect(await split(store, weights, request)).toEqual(made)
        // Whatever comes after them is not taken for one of them.
        await store.versions.setTag('memory', 1, TAG_KEY, '{"3":1}', ada)
        await store.versions.deleteTag('memory', 1, TAG_KEY, ada)
        await promote(store, ada, 3)
        expect(await split(store, weights, request)).toEqual(made)
        await expect(split(store, { 1: 100 }, request)).rejects.toThrow('needs an id of its own')
        await expect(split(store, weights, { ...request, actor: 'eve' })).rejects.toThrow('by ada')
      }
    })

    it('takes who may move the alias', async () => {
      const store = await guarded(open, { roles: ['promoter'], reasonRequired: true })
      const wren = by('wren', 'writer')
      await expect(split(store, { 1: 90, 2: 10 }, { ...wren, reason: 'x' })).rejects.toMatchObject(
        refusedFor('role'),
      )
      await expect(split(store, { 1: 90, 2: 10 }, promoter)).rejects.toMatchObject(refusedFor('reason'))
      expect(await split(store, { 1: 90, 2: 10 }, { ...promoter, reason: 'x' })).toHaveLength(1)
      await expect(split(store, { 2: 100 }, promoter)).rejects.toMatchObject(refusedFor('reason'))
    })

    it('where evidence is asked for, a split takes force, and its end at a judged version takes the evidence', async () => {
      const store = await guarded(open)
      const last = async () => (await store.changes.bounds()).last
      const before = await last()
      const evidence = await runOf(store, { version: 2 })
      await expect(split(store, { 1: 90, 2: 10 }, { ...promoter, evidence })).rejects.toMatchObject(
        refusedFor('evidence'),
      )
      await expect(split(store, { 2: 60, 3: 40 }, { ...promoter, evidence })).rejects.toMatchObject(
        refusedFor('evidence'),
      )
      expect(await last()).toBe(before)
      expect(await says(store)).toEqual([1, undefined])
      const force: Partial<Author> = { ...admin, force: true, reason: 'a first look' }
      await expect(split(store, { 1: 90, 2: 10 }, { ...admin, force: true })).rejects.toThrow(
        'needs a reason',
      )
      expect(await split(store, { 1: 90, 2: 10 }, force)).toMatchObject([{ forced: true }])
      await expect(split(store, { 2: 100 }, promoter)).rejects.toMatchObject(refusedFor('evidence'))
      expect(await split(store, { 2: 100 }, { ...promoter, evidence })).toMatchObject([
        { kind: 'alias.moved', from: 1, to: 2, evidence: `runs:/${evidence}` },
        { kind: 'rollout.changed', to: 1 },
      ])
      expect(await says(store)).toEqual([2, undefined])
      const forced = await split(store, { 1: 60, 3: 40 }, force)
      expect(forced).toMatchObject([
        { kind: 'rollout.changed', to: 1, forced: true },
        { kind: 'alias.moved', to: 1, forced: true },
      ])
    })

    it('weights that were left on a version by a tag are judged, and gone when it gets all', async () => {
      const store = await guarded(open)
      const evidence = await runOf(store, { version: 2 })
      await store.versions.setTag('memory', 2, TAG_KEY, '{"3":50}', ada)
      await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('rollout'))
      await split(store, { 2: 100 }, { ...promoter, evidence })
      expect(await says(store)).toEqual([2, undefined])
    })

    it('of several at once each is whole', async () => {
      const store = await served(open)
      const wanted = [{ 1: 90, 2: 10 }, { 2: 60, 3: 40 }, { 3: 100 }, { 1: 50, 3: 50 }, { 2: 100 }]
      await Promise.all(
        [...wanted, ...wanted].map((weights, i) => split(store, weights, { requestId: `r${i}` })),
      )
      const [version, weights] = await says(store)
      const left = [1, 2, 3].filter((one) => one !== version)
      expect(await Promise.all(left.map((one) => weightsOn(store, one)))).toEqual([undefined, undefined])
      // Which one is last, and where the alias was then, is a matter of chance.
      const whole = wanted
        .map((one) => checkWeights(one))
        .flatMap((all) => [...all.keys()].map((main) => [main, writeRollout(all, main)]))
      expect(whole).toContainEqual([version, weights])
    })

    it('is for prompts of every name', async () => {
      const store = await opened(open)
      await store.prompts.create({ name: 'träger 1', description: '', tags: promptTags })
      for (const text of ['a', 'b']) await store.versions.create(await draftOf('träger 1', text), ANYBODY)
      await store.policies.set(policyOf({ alias: 'ältere' }), admin)
      const weights = checkWeights({ 1: 99.99, 2: 0.01 })
      await store.aliases.setRollout({ name: 'träger 1', alias: 'ältere', weights, ...ANYBODY })
      const { tags } = (await store.aliases.find('träger 1', 'ältere')) ?? {}
      expect(tags?.[`${TAG.rolloutPrefix}ältere`]).toBe('{"2":0.01}')
    })
  })
}
