import { TAG } from '@promptkeep/client/protocol'
import { describe, expect, it } from 'vitest'
import { ada, draftOf, type OpenStore, opened, promptTags, searchPrompts, withPrompt } from './support.ts'

export function describeVersions(open: OpenStore) {
  describe('versions', () => {
    it('appends versions, each as it was sent', async () => {
      const store = await opened(open)
      await store.prompts.create({ name: 'memory', description: '', tags: promptTags })
      const draft = await draftOf('memory', 'Hello {{ name }}', {
        description: 'first',
        runId: 'abc',
        runLink: 'http://x',
        tags: { author: 'ada' },
      })
      const made = await store.versions.create(draft, ada)
      expect(made).toEqual({
        name: 'memory',
        version: 1,
        description: 'first',
        source: 'dummy-source',
        runId: 'abc',
        runLink: 'http://x',
        stage: 'None',
        createdAt: made.createdAt,
        updatedAt: made.createdAt,
        tags: draft.tags,
        aliases: [],
      })
      expect(await store.versions.create(await draftOf('memory', 'Hello {{ name }}'), ada)).toMatchObject({
        version: 2,
        description: '',
      })
      expect(await store.versions.get('memory', 1)).toEqual(made)
      const prompt = await store.prompts.get('memory')
      expect(prompt.latestVersions.map(({ version }) => version)).toEqual([2])
      expect(prompt.updatedAt).toBe(prompt.latestVersions[0]?.createdAt)
    })

    it('keeps a long text of any characters', async () => {
      const store = await opened(open)
      const text = `${'😀é\u2028"\\'.repeat(16_000)}{{ end }}`
      await withPrompt(store, 'long', text)
      expect((await store.versions.get('long', 1)).tags[TAG.text]).toBe(text)
    })

    it('makes one version of a create that is sent twice', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x')
      const draft = await draftOf('x', 'text', { tags: { [TAG.requestId]: 'r-1' } })
      const first = await store.versions.create(draft, ada)
      expect(await store.versions.create(draft, ada)).toEqual(first)
      await withPrompt(store, 'y')
      expect(await store.versions.create({ ...draft, name: 'y' }, ada)).toMatchObject({
        name: 'y',
        version: 1,
      })
      expect(await store.changes.after(0, 10)).toHaveLength(2)
    })

    it('refuses a request id that is too long, and takes an empty one for none', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x')
      const withId = (id: string) => draftOf('x', 'text', { tags: { [TAG.requestId]: id } })
      await expect(store.versions.create(await withId('r'.repeat(5000)), ada)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      })
      expect(await store.versions.create(await withId(''), ada)).toMatchObject({ version: 1 })
      expect(await store.versions.create(await withId(''), ada)).toMatchObject({ version: 2 })
      expect(await store.versions.create(await withId('r'.repeat(200)), ada)).toMatchObject({ version: 3 })
    })

    it('makes a new version when the one of that request was deleted', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x')
      const draft = await draftOf('x', 'text', { tags: { [TAG.requestId]: 'r-1' } })
      await store.versions.create(draft, ada)
      await store.versions.delete('x', 1, ada)
      expect(await store.versions.create(draft, ada)).toMatchObject({ version: 2 })
    })

    it('deletes softly: the number is never used again, and its aliases go with it', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two', 'three')
      for (const [alias, to] of [
        ['a1', 1],
        ['a3', 3],
        ['b3', 3],
      ] as const)
        await store.aliases.move({ name: 'x', alias, to, ...ada })
      const before = await store.prompts.get('x')
      await store.versions.delete('x', 3, ada)
      const after = await store.prompts.get('x')
      expect(after.aliases).toEqual([{ alias: 'a1', version: 1 }])
      expect(after.latestVersions).toMatchObject([{ version: 2 }])
      expect(after.updatedAt).toBeGreaterThan(before.updatedAt)
      await expect(store.versions.get('x', 3)).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' })
      expect(await store.versions.create(await draftOf('x', 'four'), ada)).toMatchObject({ version: 4 })
      const log = await store.changes.list({ prompt: 'x', limit: 4 })
      expect(log.map(({ kind, alias }) => [kind, alias])).toEqual([
        ['version.registered', undefined],
        ['version.deleted', undefined],
        ['alias.removed', 'b3'],
        ['alias.removed', 'a3'],
      ])
    })

    it('edits the commit message as a change; without one the field goes', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      const { createdAt } = await store.versions.get('x', 1)
      const edited = await store.versions.update('x', 1, 'said better', ada)
      expect(edited).toMatchObject({ description: 'said better', createdAt })
      expect(edited.updatedAt).toBeGreaterThan(createdAt)
      expect((await store.versions.update('x', 1, undefined, ada)).description).toBeUndefined()
      const [cleared, changed] = await store.changes.list({ prompt: 'x', limit: 2 })
      expect(changed).toMatchObject({ kind: 'message.edited', to: 1, actor: 'ada' })
      expect(JSON.parse(changed?.evidence ?? '')).toEqual({ before: '', after: 'said better' })
      expect(JSON.parse(cleared?.evidence ?? '')).toEqual({ before: 'said better', after: null })
    })

    it('answers the newest live version of each stage, with aliases', async () => {
      const store = await opened(open)
      await withPrompt(store, 'm', 'one', 'two', 'three', 'four')
      await store.versions.transition('m', 1, 'Production', false)
      const moved = await store.versions.transition('m', 2, 'Production', false)
      expect(moved).toMatchObject({ stage: 'Production', version: 2 })
      await store.aliases.move({ name: 'm', alias: 'prod', to: 2, ...ada })
      const latest = await store.versions.latest('m', [])
      expect(latest.map(({ version, stage, aliases }) => [version, stage, aliases])).toEqual([
        [2, 'Production', ['prod']],
        [4, 'None', []],
      ])
      expect(await store.versions.latest('m', ['Production'])).toHaveLength(1)
      expect(await store.versions.latest('m', ['Staging'])).toEqual([])
      expect((await store.prompts.get('m')).latestVersions.map(({ aliases }) => aliases)).toEqual([[], []])
    })

    it('archives the other versions of a stage when asked', async () => {
      const store = await opened(open)
      await withPrompt(store, 'm', 'one', 'two')
      await store.versions.transition('m', 1, 'Production', false)
      await store.versions.transition('m', 2, 'Production', true)
      expect(await store.versions.get('m', 1)).toMatchObject({ stage: 'Archived' })
      expect(await store.versions.get('m', 2)).toMatchObject({ stage: 'Production' })
    })

    it('says in MLflow words that a version is missing', async () => {
      const { versions, aliases, ...store } = await opened(open)
      await withPrompt({ versions, aliases, ...store }, 'x', 'one')
      for (const [name, version] of [
        ['x', 99],
        ['x', 0],
        ['x', -1],
        ['x', 2 ** 53],
        ['x', 1e20],
        ['ghost', 1],
      ] as const)
        for (const call of [
          () => versions.get(name, version),
          () => versions.update(name, version, 'x', ada),
          () => versions.delete(name, version, ada),
          () => versions.transition(name, version, 'Staging', false),
          () => versions.setTag(name, version, 'k', 'v', ada),
          () => versions.deleteTag(name, version, 'k', ada),
          // Of a prompt that is absent, a move says that.
          ...(name === 'x' ? [() => aliases.move({ name, alias: 'a', to: version, ...ada })] : []),
        ])
          await expect(call()).rejects.toMatchObject({
            code: 'VERSION_NOT_FOUND',
            message: `Model Version (name=${name}, version=${version}) not found`,
          })
    })

    it('finds versions, live ones only and without aliases', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two', 'three')
      await withPrompt(store, 'y', 'one')
      await store.aliases.move({ name: 'x', alias: 'prod', to: 3, ...ada })
      await store.versions.delete('x', 2, ada)
      const byName = { entity: 'attribute', key: 'name', comparator: '=', value: 'x' } as const
      const orderBy = [{ entity: 'attribute', key: 'version_number', ascending: false }] as const
      const clauses = [...searchPrompts().clauses, byName]
      const found = await store.versions.search(searchPrompts({ clauses, orderBy }))
      expect(found.items.map(({ version }) => version)).toEqual([3, 1])
      expect(found.items[0]).toEqual({ ...(await store.versions.get('x', 3)), aliases: [] })
      expect(await store.versions.search(searchPrompts({ clauses, orderBy, limit: 1 }))).toMatchObject({
        items: [{ version: 3 }],
        more: true,
      })
    })
  })
}
