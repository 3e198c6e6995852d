import { TAG } from '@promptkeep/client/protocol'
import { describe, expect, it } from 'vitest'
import type { Author, Store } from '../store.ts'
import { admin, EVIDENCE, guarded, promote, promoter, refusedFor, runOf, writer } from './policy-support.ts'
import { draftOf, type OpenStore, seedOf, withPrompt } from './support.ts'

export function describeGuardedChanges(open: OpenStore) {
  describe('what else changes what a guarded alias says', () => {
    const rollout = `${TAG.rolloutPrefix}production`
    const ways: [what: string, change: (store: Store, author: Author) => Promise<unknown>, kind: string][] = [
      ['removing it', (s, a) => s.aliases.remove('memory', 'production', a), 'alias.removed'],
      ['deleting its version', (s, a) => s.versions.delete('memory', 1, a), 'version.deleted'],
      ['deleting its prompt', (s, a) => s.prompts.delete('memory', a), 'prompt.deleted'],
      ['renaming its prompt', (s, a) => s.prompts.rename('memory', 'other', a), 'prompt.renamed'],
      ['a rollout', (s, a) => s.versions.setTag('memory', 1, rollout, '{"2":10}', a), 'rollout.changed'],
      [
        'a config edit',
        (s, a) => s.versions.setTag('memory', 1, TAG.modelConfig, '{"temperature":1}', a),
        'config.edited',
      ],
    ]
    it.each(ways)('%s needs force where evidence is asked for', async (_, change, kind) => {
      const store = await guarded(open)
      const before = await store.changes.after(0, 100)
      for (const author of [writer, promoter, admin])
        await expect(change(store, { ...author, reason: 'why not' })).rejects.toMatchObject(
          refusedFor('evidence', 'Promptkeep-Force'),
        )
      expect(await store.changes.after(0, 100)).toEqual(before)
      await change(store, { ...admin, force: true, reason: 'broken' })
      const logged = await store.changes.after(before.length, 100)
      expect(logged.at(-1)).toMatchObject({ kind, forced: true, reason: 'broken', actor: 'root' })
    })

    it.each(ways)('%s needs the roles and the reason of its policy', async (_, change, kind) => {
      const store = await guarded(open, { roles: ['promoter'], reasonRequired: true })
      await expect(change(store, { ...writer, reason: 'x' })).rejects.toMatchObject(refusedFor('role'))
      await expect(change(store, promoter)).rejects.toMatchObject(refusedFor('reason'))
      await change(store, { ...promoter, reason: 'retired' })
      const [last] = await store.changes.list({
        prompt: 'memory',
        kinds: [kind as 'alias.removed'],
        limit: 1,
      })
      expect(last).toMatchObject({ reason: 'retired' })
      expect(last?.forced).toBeUndefined()
    })

    it('leaves other aliases and versions alone', async () => {
      const store = await guarded(open)
      await store.aliases.move({ name: 'memory', alias: 'beta', to: 2, ...writer })
      await store.versions.setTag('memory', 2, `${TAG.rolloutPrefix}beta`, '{"3":10}', writer)
      await store.versions.setTag('memory', 2, rollout, '{"3":10}', writer)
      await store.versions.deleteTag('memory', 2, rollout, writer)
      await store.versions.setTag('memory', 1, 'free', 'x', writer)
      await store.aliases.remove('memory', 'production-2', writer)
      await store.aliases.remove('memory', 'beta', writer)
      await store.versions.delete('memory', 2, writer)
      await store.versions.update('memory', 1, 'another message', writer)
    })

    it('does not take a rollout into a move: the run judged one version', async () => {
      const store = await guarded(open)
      await store.versions.setTag('memory', 2, rollout, '{"3":90}', writer)
      const evidence = await runOf(store)
      await expect(promote(store, { evidence })).rejects.toMatchObject(refusedFor('rollout', rollout))
      await store.versions.deleteTag('memory', 2, rollout, writer)
      await promote(store, { evidence })
    })

    it.each(['{"3":10}', '{"v3":10}', '3=10', '[["3",10]]'])(
      'keeps the versions that a rollout in force names: %s',
      async (weights) => {
        const store = await guarded(open)
        await store.versions.setTag('memory', 1, rollout, weights, { ...admin, force: true, reason: 'a try' })
        await expect(store.versions.delete('memory', 3, writer)).rejects.toMatchObject(refusedFor('evidence'))
        await expect(
          store.versions.setTag('memory', 3, TAG.modelConfig, '{"temperature":1}', writer),
        ).rejects.toMatchObject(refusedFor('evidence'))
        await store.versions.delete('memory', 2, writer)
      },
    )

    it('does not let a rollout reach a version that is registered after it', async () => {
      const store = await guarded(open)
      await store.versions.setTag('memory', 1, rollout, '{"4":90}', { ...admin, force: true, reason: 'soon' })
      const draft = await draftOf('memory', 'four')
      await expect(store.versions.create(draft, writer)).rejects.toMatchObject(refusedFor('evidence'))
      await expect(store.versions.get('memory', 4)).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' })
      // A seeded prompt could bring such a rollout along.
      const seed = await seedOf('tone', 'new')
      const versionTags = { ...seed.versionTags, [rollout]: '{"2":100}' }
      await store.prompts.seed({ ...seed, versionTags }, writer)
      const next = await draftOf('tone', 'sly')
      await expect(store.versions.create(next, writer)).rejects.toMatchObject(refusedFor('evidence'))
      await store.versions.create(draft, { ...admin, force: true, reason: 'here it is' })
      const [registered] = await store.changes.list({ prompt: 'memory', limit: 1 })
      expect(registered).toMatchObject({ kind: 'version.registered', to: 4, forced: true })
    })

    it('seeds a name that is new, and moves nothing by seeding', async () => {
      const store = await guarded(open, { ...EVIDENCE, roles: ['promoter'] })
      expect(await store.prompts.seed(await seedOf('tone', 'new'), writer)).toMatchObject({
        outcome: 'seeded',
      })
      expect(await store.prompts.seed(await seedOf('tone', 'newer'), writer)).toMatchObject({
        outcome: 'skipped',
        current: { version: 1 },
      })
      expect(await store.prompts.seed(await seedOf('memory', 'newer'), writer)).toMatchObject({
        outcome: 'skipped',
        current: { version: 1 },
      })
    })

    it('does not let a registered version pass for a seeding that stopped half-way', async () => {
      const store = await guarded(open)
      await withPrompt(store, 'pay', 'sly')
      const seed = await seedOf('pay', 'sly')
      await expect(store.versions.setTag('pay', 1, TAG.seeded, 'true', writer)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      })
      expect(await store.prompts.seed(seed, writer)).toEqual({ outcome: 'skipped' })
      await withPrompt(store, 'bill')
      const half = await draftOf('bill', 'sly', { tags: { [TAG.seeded]: 'true' } })
      await store.versions.create(half, writer)
      await withPrompt(store, 'empty')
      for (const name of ['bill', 'empty'])
        await expect(store.prompts.seed(await seedOf(name, 'sly'), writer)).rejects.toMatchObject(
          refusedFor('evidence'),
        )
    })

    it('takes seeding a name that had another prompt for a move', async () => {
      const store = await guarded(open)
      await withPrompt(store, 'draft', 'one')
      await store.prompts.delete('draft', writer)
      await withPrompt(store, 'old', 'one')
      await store.prompts.rename('old', 'new', writer)
      for (const name of ['draft', 'old'])
        await expect(store.prompts.seed(await seedOf(name, 'sly'), writer)).rejects.toMatchObject(
          refusedFor('evidence'),
        )
      await expect(store.prompts.get('draft')).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
      await store.prompts.create({ name: 'draft', description: '', tags: { [TAG.isPrompt]: 'true' } })
      await expect(store.prompts.seed(await seedOf('draft', 'sly'), writer)).rejects.toMatchObject(
        refusedFor('evidence'),
      )
      await store.prompts.seed(await seedOf('draft', 'fine', 'beta'), writer)
    })
  })
}
