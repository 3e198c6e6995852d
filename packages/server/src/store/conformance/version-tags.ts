import { digestOf, TAG } from '@promptkeep/client/protocol'
import { describe, expect, it } from 'vitest'
import { ada, contentTags, draftOf, type OpenStore, opened, promptTags, withPrompt } from './support.ts'

const configOf = (version: { tags: Readonly<Record<string, string>> }) => version.tags[TAG.modelConfig]

export function describeVersionTags(open: OpenStore) {
  describe('tags of versions', () => {
    it('sets and deletes free tags; nothing is bumped or logged', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      const before = await store.versions.get('x', 1)
      await store.versions.setTag('x', 1, 'b', '', ada)
      await store.versions.setTag('x', 1, 'a', '1', ada)
      await store.versions.setTag('x', 1, 'b', '2', ada)
      await store.versions.deleteTag('x', 1, 'a', ada)
      await store.versions.deleteTag('x', 1, 'never there', ada)
      expect(await store.versions.get('x', 1)).toEqual({ ...before, tags: { ...before.tags, b: '2' } })
      expect(await store.changes.after(1, 10)).toEqual([])
    })

    it.each([TAG.text, TAG.type, TAG.isPrompt, TAG.responseFormat, TAG.modelConfig, TAG.digest])(
      'never changes the content of a version: %s',
      async (key) => {
        const store = await opened(open)
        await withPrompt(store, 'x')
        const tags = { [TAG.responseFormat]: '{}', [TAG.modelConfig]: '{}', [TAG.digest]: 'd' }
        const made = await store.versions.create(await draftOf('x', 'one', { tags }), ada)
        const refused = { code: 'INVALID_INPUT', message: expect.stringMatching(/register a new version/) }
        await expect(store.versions.setTag('x', 1, key, '{"other": 1}', ada)).rejects.toMatchObject(refused)
        await expect(store.versions.deleteTag('x', 1, key, ada)).rejects.toMatchObject(refused)
        await store.versions.setTag('x', 1, key, made.tags[key] ?? '', ada) // the same again is no change
        expect(await store.versions.get('x', 1)).toEqual(made)
        expect(await store.changes.after(1, 10)).toEqual([])
      },
    )

    it.each([TAG.responseFormat, TAG.modelConfig])('adds no content later either: %s', async (key) => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      await expect(store.versions.setTag('x', 1, key, '{}', ada)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      })
      await store.versions.deleteTag('x', 1, key, ada) // there is none: nothing happens
    })

    it('edits the model config where that is allowed, as a change with before, after and the new digest', async () => {
      const store = await opened(open, { allowModelConfigEdit: true })
      await withPrompt(store, 'x')
      const digest = await digestOf({ template: 'one' })
      await store.versions.create(await draftOf('x', 'one', { tags: { [TAG.digest]: digest } }), ada)
      await store.versions.setTag('x', 1, TAG.modelConfig, '{"temperature": 0.5}', ada)
      const edited = await store.versions.get('x', 1)
      const newDigest = await digestOf({ template: 'one', modelConfig: { temperature: 0.5 } })
      expect(edited.tags).toEqual({
        ...contentTags('one'),
        [TAG.digest]: newDigest,
        [TAG.modelConfig]: '{"temperature": 0.5}',
      })
      await store.versions.deleteTag('x', 1, TAG.modelConfig, ada)
      await store.versions.deleteTag('x', 1, TAG.modelConfig, ada) // again: nothing happens
      expect(configOf(await store.versions.get('x', 1))).toBeUndefined()
      const log = await store.changes.after(1, 10)
      expect(log).toMatchObject([
        { kind: 'config.edited', to: 1, digest: newDigest, actor: 'ada' },
        { kind: 'config.edited', to: 1, digest },
      ])
      expect(log.map(({ evidence }) => JSON.parse(evidence ?? ''))).toEqual([
        { before: null, after: '{"temperature": 0.5}' },
        { before: '{"temperature": 0.5}', after: null },
      ])
      // The digest of the version itself follows: the next change of it says so.
      await store.aliases.move({ name: 'x', alias: 'production', to: 1, ...ada })
      expect((await store.changes.list({ prompt: 'x', limit: 1 }))[0]).toMatchObject({ digest })
    })

    it('keeps the text fixed also where the model config may be edited', async () => {
      const store = await opened(open, { allowModelConfigEdit: true })
      await withPrompt(store, 'x', 'one')
      await expect(store.versions.setTag('x', 1, TAG.text, 'two', ada)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      })
    })

    it('records every change of a rollout, wherever its alias is', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      await store.aliases.move({ name: 'x', alias: 'production', to: 1, ...ada })
      const key = `${TAG.rolloutPrefix}production`
      await store.versions.setTag('x', 2, key, '{"1": 5}', ada) // not where the alias is
      await store.versions.setTag('x', 1, key, '{"2": 10}', ada)
      await store.versions.setTag('x', 1, key, '{"2": 10}', ada) // the same again
      await store.versions.deleteTag('x', 1, key, ada)
      const log = await store.changes.after(3, 10)
      expect(log).toMatchObject([
        { seq: 4, kind: 'rollout.changed', alias: 'production', to: 2, actor: 'ada' },
        { seq: 5, kind: 'rollout.changed', alias: 'production', to: 1 },
        { seq: 6, kind: 'rollout.changed', alias: 'production', to: 1 },
      ])
      expect(log.map(({ evidence }) => JSON.parse(evidence ?? ''))).toEqual([
        { before: null, after: '{"1": 5}' },
        { before: null, after: '{"2": 10}' },
        { before: '{"2": 10}', after: null },
      ])
    })

    it('records a rollout that comes with a new version', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      const tags = { [`${TAG.rolloutPrefix}production`]: '{"1": 90, "2": 10}', team: 'search' }
      await store.versions.create(await draftOf('x', 'two', { tags }), ada)
      const [registered, rollout, ...others] = await store.changes.after(1, 10)
      expect(others).toEqual([])
      expect(registered).toMatchObject({ seq: 2, kind: 'version.registered', to: 2 })
      expect(registered).not.toHaveProperty('alias')
      expect(rollout).toMatchObject({
        seq: 3,
        kind: 'rollout.changed',
        alias: 'production',
        to: 2,
        digest: registered?.digest,
        evidence: JSON.stringify({ before: null, after: '{"1": 90, "2": 10}' }),
        actor: 'ada',
      })
    })

    it('keeps the digest of what it edits, when the prompt is made anew under the edit', async () => {
      const store = await opened(open, { allowModelConfigEdit: true })
      const config = { temperature: 1 }
      // Sooner and later, so that some deletions come between the edit's reading and its writing.
      for (let pause = 0; pause < 300; pause += 10) {
        const name = `x${pause}`
        await withPrompt(store, name, 'one')
        const draft = await draftOf(name, 'another')
        const edit = store.versions.setTag(name, 1, TAG.modelConfig, JSON.stringify(config), ada)
        const done = edit.catch((error: unknown) =>
          expect(error).toMatchObject({ code: 'VERSION_NOT_FOUND' }),
        )
        for (let i = 0; i < pause; i++) await Promise.resolve()
        await store.prompts.delete(name, ada)
        await store.prompts.create({ name, description: '', tags: promptTags })
        await store.versions.create(draft, ada)
        await done
        const wasLate = configOf(await store.versions.get(name, 1)) !== undefined
        const digest = await digestOf({ template: wasLate ? 'another' : 'one', modelConfig: config })
        const edited = await store.changes.list({ prompt: name, kinds: ['config.edited'], limit: 9 })
        expect(edited.map((change) => change.digest)).toEqual(edited.map(() => digest))
      }
    })
  })
}
