import { digestOf, TAG } from '@promptkeep/client/protocol'
import { describe, expect, it } from 'vitest'
import type { Store } from '../store.ts'
import { admin, policyOf, promoter, refusedFor, writer } from './policy-support.ts'
import { ada, draftOf, type OpenStore, opened, promptTags, seedOf, withPrompt } from './support.ts'

export function describeSeeding(open: OpenStore) {
  describe('seeding', () => {
    it('registers an absent prompt and points its alias, then leaves it alone', async () => {
      const store = await opened(open)
      const draft = await seedOf('memory', 'the default')
      const current = { version: 1, digest: draft.digest }
      expect(await store.prompts.seed(draft, ada)).toEqual({ outcome: 'seeded', current })
      expect(await store.prompts.get('memory')).toMatchObject({
        description: 'what it is for',
        tags: promptTags,
      })
      expect(await store.aliases.find('memory', 'production')).toMatchObject({
        version: 1,
        description: 'as bundled',
        source: 'dummy-source',
        tags: draft.versionTags,
      })
      expect(await store.prompts.seed(draft, ada)).toEqual({ outcome: 'skipped', current })
      expect(await store.changes.after(0, 10)).toMatchObject([
        { kind: 'version.registered', to: 1, digest: draft.digest, actor: 'ada' },
        { kind: 'alias.moved', alias: 'production', to: 1, digest: draft.digest },
      ])
    })

    it('says what the alias says now, so that a default which differs is seen', async () => {
      const store = await opened(open)
      await store.prompts.seed(await seedOf('memory', 'the default'), ada)
      await store.versions.create(await draftOf('memory', 'published since'), ada)
      await store.aliases.move({ name: 'memory', alias: 'production', to: 2, ...ada })
      expect(await store.prompts.seed(await seedOf('memory', 'an edited default'), ada)).toEqual({
        outcome: 'skipped',
        current: { version: 2, digest: await digestOf({ template: 'published since' }) },
      })
    })

    it('skips a prompt without that alias, and says that there is none', async () => {
      const store = await opened(open)
      await withPrompt(store, 'memory', 'somebody wrote this')
      expect(await store.prompts.seed(await seedOf('memory', 'the default'), ada)).toEqual({
        outcome: 'skipped',
      })
      expect((await store.prompts.get('memory')).aliases).toEqual([])
    })

    it('heals a prompt that never had a version', async () => {
      const store = await opened(open)
      await withPrompt(store, 'memory')
      expect(await store.prompts.seed(await seedOf('memory', 'the default'), ada)).toMatchObject({
        outcome: 'healed',
        current: { version: 1 },
      })
      expect(await store.aliases.find('memory', 'production')).toMatchObject({ version: 1 })
    })

    it('heals the one seeded version that never had an alias', async () => {
      const store = await opened(open)
      await withPrompt(store, 'memory')
      await store.versions.create(
        await draftOf('memory', 'the default', { tags: { [TAG.seeded]: 'true' } }),
        ada,
      )
      expect(await store.prompts.seed(await seedOf('memory', 'the default'), ada)).toMatchObject({
        outcome: 'healed',
        current: { version: 1 },
      })
      expect((await store.prompts.get('memory')).latestVersions).toMatchObject([{ version: 1 }])
    })

    const seeded = { [TAG.seeded]: 'true' }
    it.each([
      { rule: 'is not tagged as seeded', texts: ['the default'], tags: {} },
      { rule: 'has another text', texts: ['an older default'], tags: seeded },
      { rule: 'has two versions', texts: ['the default', 'the default'], tags: seeded },
    ])('leaves a prompt alone that $rule', async ({ texts, tags }) => {
      const store = await opened(open)
      await withPrompt(store, 'memory')
      for (const text of texts) await store.versions.create(await draftOf('memory', text, { tags }), ada)
      expect(await store.prompts.seed(await seedOf('memory', 'the default'), ada)).toEqual({
        outcome: 'skipped',
      })
      expect(await store.changes.after(texts.length, 10)).toEqual([])
    })

    it('leaves a prompt alone whose alias or versions somebody removed', async () => {
      const store = await opened(open)
      const draft = await seedOf('memory', 'the default')
      await store.prompts.seed(draft, ada)
      await store.aliases.remove('memory', 'production', ada)
      expect(await store.prompts.seed(draft, ada)).toEqual({ outcome: 'skipped' })
      await store.versions.delete('memory', 1, ada)
      expect(await store.prompts.seed(draft, ada)).toEqual({ outcome: 'skipped' })
    })

    it.each([
      { what: 'no version', half: async () => {} },
      {
        what: 'its seeded version',
        half: async (store: Store) => {
          const tags = { [TAG.seeded]: 'true' }
          await store.versions.create(await draftOf('memory', 'the default', { tags }), ada)
        },
      },
    ])('heals a prompt with $what only for who may move the alias', async ({ half }) => {
      const store = await opened(open)
      await withPrompt(store, 'memory')
      await half(store)
      await store.policies.set(policyOf({ roles: ['promoter'] }), admin)
      const before = await store.changes.after(0, 10)
      const seed = await seedOf('memory', 'the default')
      await expect(store.prompts.seed(seed, writer)).rejects.toMatchObject(refusedFor('role'))
      expect(await store.changes.after(0, 10)).toEqual(before)
      expect(await store.prompts.seed(seed, promoter)).toMatchObject({ outcome: 'healed' })
    })

    it.each([TAG.seeded, TAG.requestId])('keeps %s of a version as it was registered', async (key) => {
      const store = await opened(open)
      await withPrompt(store, 'memory', 'by hand')
      await store.versions.create(await draftOf('memory', 'seeded', { tags: { [key]: 'yes' } }), ada)
      const refused = {
        code: 'INVALID_INPUT',
        message: expect.stringMatching(/how a version was made, and is fixed/),
      }
      await expect(store.versions.setTag('memory', 1, key, 'yes', ada)).rejects.toMatchObject(refused)
      await expect(store.versions.setTag('memory', 2, key, 'no', ada)).rejects.toMatchObject(refused)
      await expect(store.versions.deleteTag('memory', 2, key, ada)).rejects.toMatchObject(refused)
      await store.versions.setTag('memory', 2, key, 'yes', ada)
      await store.versions.deleteTag('memory', 1, key, ada)
      expect((await store.versions.get('memory', 2)).tags[key]).toBe('yes')
    })

    it('refuses a name that a plain model has', async () => {
      const store = await opened(open)
      await store.prompts.create({ name: 'memory', description: '', tags: {} })
      await expect(store.prompts.seed(await seedOf('memory', 'the default'), ada)).rejects.toMatchObject({
        code: 'CONFLICT',
        mlflowCode: 'RESOURCE_ALREADY_EXISTS',
      })
    })
  })
}
