import { digestOf, TAG } from '@promptkeep/client/protocol'
import { describe, expect, it } from 'vitest'
import { ANYBODY, type Rollback, type Store } from '../store.ts'
import { admin, guarded, promote, promoter, refusedFor, runOf, writer } from './policy-support.ts'
import { ada, draftOf, type OpenStore, opened, promptTags, withPrompt } from './support.ts'

const rollout = `${TAG.rolloutPrefix}production`
const point = (store: Store, to: number, alias = 'production') =>
  store.aliases.move({ name: 'x', alias, to, ...ada })
const back = (store: Store, more: Partial<Rollback> = {}) =>
  store.history.rollback({ name: 'x', alias: 'production', ...ada, reason: 'it was better', ...more })
const says = async (store: Store, alias = 'production') => (await store.aliases.find('x', alias))?.version
const logged = async (store: Store, after: number) =>
  (await store.changes.after(after, 20)).map(({ kind, from, to, restores }) => [kind, from, to, restores])

export function describeRollback(open: OpenStore) {
  describe('rolling back', () => {
    it('brings back what the alias said before its last change, as a change', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      await point(store, 1)
      await point(store, 2)
      const [change, ...others] = await back(store)
      expect(others).toEqual([])
      expect(change).toEqual({
        seq: 5,
        kind: 'alias.moved',
        prompt: 'x',
        alias: 'production',
        from: 2,
        to: 1,
        digest: await digestOf({ template: 'one' }),
        actor: 'ada',
        reason: 'it was better',
        restores: 3,
        at: expect.any(Number),
      })
      expect(await says(store)).toBe(1)
      expect(await store.changes.after(4, 10)).toEqual([change])
      // It was a change like every other: undone, what was undone is back.
      expect(await back(store)).toMatchObject([{ from: 1, to: 2, restores: 4 }])
      expect(await says(store)).toBe(2)
    })

    it('looks for the last move that changed something', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      await point(store, 1)
      await point(store, 2)
      await point(store, 2)
      await point(store, 2)
      expect(await back(store)).toMatchObject([{ from: 2, to: 1, restores: 3 }])
    })

    it('sets an alias again that was removed, and removes one that was not set', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      await point(store, 1)
      expect(await back(store)).toMatchObject([{ kind: 'alias.removed', from: 1, restores: 1 }])
      expect(await says(store)).toBeUndefined()
      expect(await back(store)).toMatchObject([{ kind: 'alias.moved', to: 1, restores: 2 }])
      await store.aliases.remove('x', 'production', ada)
      expect(await back(store)).toMatchObject([{ kind: 'alias.moved', to: 1, restores: 4 }])
      expect(await back(store, { toSeq: 1 })).toMatchObject([{ kind: 'alias.removed', restores: 1 }])
    })

    it('brings back any row of the prompt, whatever it speaks of', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two', 'three')
      await point(store, 1)
      await point(store, 3, 'experiment')
      await point(store, 2)
      await store.versions.update('x', 2, 'a message', ada)
      await point(store, 3)
      expect(await back(store, { toSeq: 7 })).toMatchObject([{ from: 3, to: 2, restores: 7 }])
      expect(await back(store, { toSeq: 5 })).toMatchObject([{ from: 2, to: 1, restores: 5 }])
      expect(await says(store, 'experiment')).toBe(3)
    })

    it('brings back the rollout with the version', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      await point(store, 1)
      await store.versions.setTag('x', 1, rollout, '{"1": 90, "2": 10}', ada) // 4
      await point(store, 2)
      await store.versions.setTag('x', 1, rollout, '{"1": 1}', ada) // 6
      expect(await back(store)).toMatchObject([
        { seq: 7, kind: 'rollout.changed', to: 1, restores: 4 },
        { seq: 8, kind: 'alias.moved', from: 2, to: 1, restores: 4 },
      ])
      // As it was right before the last change of the alias: what was prepared meanwhile waits.
      expect((await store.versions.get('x', 1)).tags[rollout]).toBe('{"1": 90, "2": 10}')
    })

    it('brings back the rollout of that time, and the rollout alone', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      await point(store, 1) // 3
      await store.versions.setTag('x', 1, rollout, '{"1": 90}', ada) // 4
      await store.versions.setTag('x', 1, rollout, '{"1": 50}', ada) // 5
      expect(await back(store)).toMatchObject([
        { seq: 6, kind: 'rollout.changed', alias: 'production', to: 1, restores: 4 },
        { seq: 7, kind: 'alias.moved', from: 1, to: 1, restores: 4 },
      ])
      expect((await store.versions.get('x', 1)).tags[rollout]).toBe('{"1": 90}')
      await point(store, 2) // 8
      expect(await back(store, { toSeq: 3 })).toMatchObject([
        {
          seq: 9,
          kind: 'rollout.changed',
          to: 1,
          restores: 3,
          evidence: JSON.stringify({ before: '{"1": 90}', after: null }),
        },
        { seq: 10, kind: 'alias.moved', from: 2, to: 1, restores: 3 },
      ])
      expect((await store.versions.get('x', 1)).tags).not.toHaveProperty([rollout])
      // Both rows of the rollback are undone, not the last one of them.
      expect(await back(store)).toMatchObject([{ kind: 'alias.moved', from: 1, to: 2, restores: 8 }])
      // And each of its rows stands for all of it.
      expect(await back(store, { toSeq: 9 })).toMatchObject([{ kind: 'alias.moved', from: 2, to: 1 }])
    })

    it('serves no version by a rollout of then that was registered since, except by force', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      await point(store, 1)
      await store.versions.setTag('x', 1, rollout, '{"1": 50, "3": 50}', ada) // 4
      await point(store, 2)
      await store.versions.create(await draftOf('x', 'four, as it were'), ada) // 6
      const refused = {
        code: 'CONFLICT',
        current: 2,
        message: expect.stringMatching(/would also serve version 3, .* registered since/),
      }
      await expect(back(store)).rejects.toMatchObject(refused)
      await store.versions.deleteTag('x', 1, rollout, ada) // 7
      await expect(back(store, { toSeq: 4 })).rejects.toMatchObject(refused)
      expect(await logged(store, 7)).toEqual([])
      expect(await says(store)).toBe(2)
      // Without weights it is what it was.
      expect(await back(store, { toSeq: 3 })).toMatchObject([{ to: 1 }])
      await point(store, 2)
      await back(store, { toSeq: 4, force: true })
      expect((await store.versions.get('x', 1)).tags[rollout]).toBe('{"1": 50, "3": 50}')
      await point(store, 2)
      // From here on it had been in force with version 3.
      expect(await back(store)).toMatchObject([{ from: 2, to: 1 }])
    })

    it('serves no version by a rollout of then whose model config was edited since', async () => {
      const store = await opened(open, { allowModelConfigEdit: true })
      await withPrompt(store, 'x', 'one', 'two', 'three')
      await point(store, 1)
      await store.versions.setTag('x', 1, rollout, '{"1": 50, "3": 50}', ada)
      await point(store, 2)
      await store.versions.setTag('x', 3, TAG.modelConfig, '{"temperature": 1}', ada)
      await expect(back(store)).rejects.toMatchObject({
        code: 'CONFLICT',
        message: expect.stringMatching(/would also serve version 3/),
      })
      await store.versions.deleteTag('x', 3, TAG.modelConfig, ada)
      expect(await back(store)).toMatchObject([{ from: 2, to: 1 }])
    })

    it('asks for force where evidence is asked for and the rollout of then serves another version', async () => {
      const store = await guarded(open)
      await store.versions.setTag('memory', 1, rollout, '{"4":90}', {
        ...admin,
        force: true,
        reason: 'a try',
      })
      await promote(store, { evidence: await runOf(store) })
      await store.versions.create(await draftOf('memory', 'sly'), writer)
      const undo = { name: 'memory', alias: 'production', reason: 'worse' }
      await expect(store.history.rollback({ ...undo, ...promoter })).rejects.toMatchObject(
        refusedFor('evidence', 'would also serve version 4', 'forces it'),
      )
      expect((await store.aliases.find('memory', 'production'))?.version).toBe(2)
      const changes = await store.history.rollback({ ...undo, ...admin, force: true })
      expect(changes).toMatchObject([{ to: 1, forced: true }])
    })

    it('brings back the model config and its digest where edits are allowed', async () => {
      const store = await opened(open, { allowModelConfigEdit: true })
      await store.prompts.create({ name: 'x', description: '', tags: promptTags })
      const digest = await digestOf({ template: 'one' })
      await store.versions.create(await draftOf('x', 'one', { tags: { [TAG.digest]: digest } }), ada)
      await point(store, 1)
      const before = await store.versions.get('x', 1)
      await store.versions.setTag('x', 1, TAG.modelConfig, '{"temperature": 1}', ada)
      expect(await back(store)).toMatchObject([
        {
          kind: 'config.edited',
          to: 1,
          digest,
          restores: 2,
          evidence: JSON.stringify({ before: '{"temperature": 1}', after: null }),
        },
        { kind: 'alias.moved', from: 1, to: 1, digest, restores: 2 },
      ])
      expect((await store.versions.get('x', 1)).tags).toEqual(before.tags)
      expect(await back(store)).toMatchObject([
        { kind: 'config.edited', restores: 3 },
        { kind: 'alias.moved' },
      ])
      expect((await store.versions.get('x', 1)).tags[TAG.modelConfig]).toBe('{"temperature": 1}')
      expect((await store.versions.get('x', 1)).tags[TAG.digest]).not.toBe(digest)
    })

    it('says so when nothing would change, and when the alias was never set', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      await expect(back(store)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringMatching(/never set/),
      })
      await expect(back(store, { toSeq: 1 })).rejects.toMatchObject({ code: 'CONFLICT', current: null })
      await point(store, 1)
      await expect(back(store, { toSeq: 2 })).rejects.toMatchObject({
        code: 'CONFLICT',
        current: 1,
        message: expect.stringMatching(/nothing to roll back/),
      })
      expect(await logged(store, 2)).toEqual([])
    })

    it('refuses a version that was deleted since', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      await point(store, 1)
      await point(store, 2)
      await store.versions.delete('x', 1, ada)
      await expect(back(store)).rejects.toMatchObject({
        code: 'VERSION_NOT_FOUND',
        message: expect.stringMatching(/^Version 1 of x, .* was deleted since/),
      })
      expect(await says(store)).toBe(2)
    })

    it('refuses rows of other prompts, of an earlier prompt of the name, and of nobody', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      await point(store, 1)
      await store.prompts.delete('x', ada)
      await withPrompt(store, 'x', 'another')
      await point(store, 1)
      await withPrompt(store, 'y', 'one')
      const refused = async (toSeq: number) =>
        back(store, { toSeq }).catch((error) => [error.code, error.message])
      expect(await refused(2)).toEqual([
        'INVALID_INPUT',
        expect.stringMatching(/another prompt that had the name x/),
      ])
      expect(await refused(3)).toEqual(['INVALID_INPUT', expect.stringMatching(/another prompt/)])
      expect(await refused(6)).toEqual([
        'INVALID_INPUT',
        expect.stringMatching(/got 6, which is of the prompt y/),
      ])
      expect(await refused(7)).toEqual([
        'INVALID_INPUT',
        expect.stringMatching(/which the log does not have/),
      ])
      await expect(back(store, { name: 'ghost' })).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
      expect(await logged(store, 6)).toEqual([])
    })

    it('takes rows from before the prompt was renamed', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      await point(store, 1)
      await point(store, 2)
      await store.prompts.rename('x', 'z', ada)
      expect(await back(store, { name: 'z', toSeq: 3 })).toMatchObject([{ prompt: 'z', from: 2, to: 1 }])
    })

    it('compares and sets: the loser learns the current version', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      await point(store, 1)
      await point(store, 2)
      await expect(back(store, { expected: 1 })).rejects.toMatchObject({ code: 'CONFLICT', current: 2 })
      await expect(back(store, { expected: null })).rejects.toMatchObject({ code: 'CONFLICT', current: 2 })
      expect(await back(store, { expected: 2 })).toMatchObject([{ to: 1 }])
      const both = await Promise.allSettled([back(store, { expected: 1 }), back(store, { expected: 1 })])
      expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    })

    it('answers the same request again with the changes that it made', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      await point(store, 1)
      await store.versions.setTag('x', 1, rollout, '{"1": 90}', ada)
      const requestId = 'r-1'
      const made = await back(store, { requestId, toSeq: 3 })
      expect(made).toHaveLength(2)
      await point(store, 2)
      expect(await back(store, { requestId, toSeq: 3 })).toEqual(made)
      expect(await back(store, { requestId })).toEqual(made)
      expect(await says(store)).toBe(2)
      for (const other of [{ toSeq: 4 }, { alias: 'experiment' }])
        await expect(back(store, { requestId, ...other })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
      await store.aliases.move({ name: 'x', alias: 'production', to: 1, requestId: 'r-2', ...ada })
      await expect(back(store, { requestId: 'r-2' })).rejects.toMatchObject({
        message: expect.stringMatching(/used before, for change 8, which is not this rollback/),
      })
    })

    it('asks the policy for role and reason, never for evidence', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      await point(store, 1)
      await point(store, 2)
      const roles = ['promoter'] as const
      await store.policies.set(
        { alias: 'production', roles, reasonRequired: true, evidenceRequired: true, maxAgeMs: undefined },
        ada,
      )
      const as = (role: 'writer' | 'promoter', reason?: string) =>
        back(store, { ...ANYBODY, actor: role, roles: [role], reason })
      await expect(as('writer', 'why')).rejects.toMatchObject({ code: 'FORBIDDEN' })
      await expect(as('promoter')).rejects.toMatchObject({ code: 'FORBIDDEN' })
      expect(await logged(store, 4)).toEqual([])
      expect(await as('promoter', 'why')).toMatchObject([{ to: 1, actor: 'promoter', reason: 'why' }])
    })
  })
}
