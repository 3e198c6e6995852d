import { TAG } from '@promptkeep/client/protocol'
import { describe, expect, it } from 'vitest'
import { ada, draftOf, type OpenStore, opened, promptTags, searchPrompts, withPrompt } from './support.ts'

export function describePrompts(open: OpenStore) {
  describe('prompts', () => {
    it('creates a prompt and reads it back, tags in the order they were given', async () => {
      const store = await opened(open)
      const tags = { zeta: '1', ...promptTags, alpha: '', 'with space': 'ünïcode ☕ 😀' }
      const made = await store.prompts.create({ name: 'memory', description: 'd', tags })
      expect(made).toEqual({
        name: 'memory',
        description: 'd',
        createdAt: made.createdAt,
        updatedAt: made.createdAt,
        tags,
        aliases: [],
        latestVersions: [],
      })
      expect(made.createdAt).toBeGreaterThan(1_700_000_000_000)
      expect(made.createdAt).toBeLessThan(1_700_000_000_100)
      const found = await store.prompts.get('memory')
      expect(found).toEqual(made)
      expect(Object.keys(found.tags)).toEqual(Object.keys(tags))
    })

    it.each([
      {
        rule: 'a prompt over a prompt',
        first: promptTags,
        second: promptTags,
        says: 'Prompt (name=x) already exists.',
      },
      {
        rule: 'a model over a model',
        first: {},
        second: {},
        says: 'Registered Model (name=x) already exists.',
      },
      {
        rule: 'a model over a prompt',
        first: promptTags,
        second: {},
        says: "Tried to create a registered model with name 'x', but the name is already taken by a prompt.",
      },
      {
        rule: 'a prompt over a model',
        first: {},
        second: { [TAG.isPrompt]: 'TRUE' },
        says: "Tried to create a prompt with name 'x', but the name is already taken by a registered model.",
      },
    ])('refuses $rule', async ({ first, second, says }) => {
      const store = await opened(open)
      await store.prompts.create({ name: 'x', description: 'kept', tags: first })
      await expect(store.prompts.create({ name: 'x', description: '', tags: second })).rejects.toMatchObject({
        code: 'CONFLICT',
        status: 400,
        mlflowCode: 'RESOURCE_ALREADY_EXISTS',
        message: expect.stringContaining(says),
      })
      expect((await store.prompts.get('x')).description).toBe('kept')
    })

    it('tells names apart by every character', async () => {
      const store = await opened(open)
      for (const name of ['greet', 'Greet', 'greet ', 'gréet', 'gre\u0301et'])
        await store.prompts.create({ name, description: name, tags: promptTags })
      expect((await store.prompts.get('Greet')).description).toBe('Greet')
      await expect(store.prompts.get('GREET')).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
    })

    it('updates the description and clears it when there is none', async () => {
      const store = await opened(open)
      const { createdAt } = await store.prompts.create({ name: 'x', description: 'old', tags: promptTags })
      const updated = await store.prompts.update('x', 'new')
      expect(updated).toMatchObject({ description: 'new', createdAt })
      expect(updated.updatedAt).toBeGreaterThan(createdAt)
      expect(await store.prompts.update('x', undefined)).toMatchObject({ description: '' })
    })

    it('renames with versions, tags and aliases', async () => {
      const store = await opened(open)
      await withPrompt(store, 'old', 'one', 'two')
      await store.aliases.move({ name: 'old', alias: 'production', to: 1, ...ada })
      const renamed = await store.prompts.rename('old', 'new', ada)
      expect(renamed).toMatchObject({ name: 'new', aliases: [{ alias: 'production', version: 1 }] })
      expect(renamed.latestVersions).toMatchObject([{ name: 'new', version: 2 }])
      expect(await store.aliases.find('new', 'production')).toMatchObject({ name: 'new', version: 1 })
      await expect(store.prompts.get('old')).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
      const [change] = await store.changes.list({ prompt: 'old', limit: 1 })
      expect(change).toMatchObject({ kind: 'prompt.renamed', prompt: 'old', newName: 'new', actor: 'ada' })
    })

    it('refuses to rename onto another name, and changes nothing', async () => {
      const store = await opened(open)
      await withPrompt(store, 'a', 'one')
      await store.prompts.create({ name: 'b', description: '', tags: {} })
      await expect(store.prompts.rename('a', 'b', ada)).rejects.toMatchObject({
        code: 'CONFLICT',
        mlflowCode: 'RESOURCE_ALREADY_EXISTS',
        message: 'Registered Model (name=b) already exists.',
      })
      expect(await store.prompts.get('a')).toMatchObject({ name: 'a' })
      expect(await store.changes.after(1, 10)).toEqual([])
    })

    it('renames to its own name without a change', async () => {
      const store = await opened(open)
      await store.prompts.create({ name: 'a', description: '', tags: promptTags })
      expect(await store.prompts.rename('a', 'a', ada)).toMatchObject({ name: 'a' })
      expect(await store.changes.after(0, 10)).toEqual([])
    })

    it('starts numbering again after a delete, and never mixes the two', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      await store.aliases.move({ name: 'x', alias: 'production', to: 2, ...ada })
      await store.prompts.delete('x', ada)
      await expect(store.prompts.get('x')).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
      await withPrompt(store, 'x', 'fresh')
      expect(await store.prompts.get('x')).toMatchObject({ aliases: [], latestVersions: [{ version: 1 }] })
      expect(await store.aliases.find('x', 'production')).toBeUndefined()
      await expect(store.versions.get('x', 2)).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' })
    })

    it('sets and deletes tags; a key that is set again keeps its place, and nothing is bumped', async () => {
      const store = await opened(open)
      const { updatedAt } = await store.prompts.create({
        name: 'x',
        description: '',
        tags: { ...promptTags, a: '1', b: '2' },
      })
      await store.prompts.setTag('x', 'c', '3')
      await store.prompts.setTag('x', 'a', 'changed')
      await store.prompts.deleteTag('x', 'b')
      await store.prompts.deleteTag('x', 'never there')
      const found = await store.prompts.get('x')
      expect(Object.entries(found.tags)).toEqual([
        [TAG.isPrompt, 'true'],
        ['a', 'changed'],
        ['c', '3'],
      ])
      expect(found.updatedAt).toBe(updatedAt)
      expect(await store.changes.after(0, 10)).toEqual([])
    })

    it('never lets a prompt become a model, nor a model a prompt', async () => {
      const store = await opened(open)
      await store.prompts.create({ name: 'p', description: '', tags: promptTags })
      await store.prompts.create({ name: 'm', description: '', tags: {} })
      const refused = { code: 'INVALID_INPUT', message: expect.stringContaining(TAG.isPrompt) }
      await expect(store.prompts.deleteTag('p', TAG.isPrompt)).rejects.toMatchObject(refused)
      await expect(store.prompts.setTag('p', TAG.isPrompt, 'false')).rejects.toMatchObject(refused)
      await expect(store.prompts.setTag('m', TAG.isPrompt, 'true')).rejects.toMatchObject(refused)
      await store.prompts.setTag('p', TAG.isPrompt, 'true') // says what it says already
      await store.prompts.deleteTag('m', TAG.isPrompt)
      expect((await store.prompts.get('p')).tags).toEqual(promptTags)
      expect((await store.prompts.get('m')).tags).toEqual({})
    })

    it('says in MLflow words that a prompt is missing', async () => {
      const { prompts, aliases, versions } = await opened(open)
      const draft = await draftOf('ghost', 'text')
      const missing = {
        code: 'PROMPT_NOT_FOUND',
        message: 'Registered Model with name=ghost not found',
      }
      for (const call of [
        () => prompts.get('ghost'),
        () => prompts.update('ghost', 'x'),
        () => prompts.rename('ghost', 'g2', ada),
        () => prompts.delete('ghost', ada),
        () => prompts.setTag('ghost', 'k', 'v'),
        () => prompts.deleteTag('ghost', 'k'),
        () => aliases.find('ghost', 'production'),
        () => aliases.find('ghost', 'latest'),
        () => aliases.remove('ghost', 'production', ada),
        () => versions.latest('ghost', []),
        () => versions.create(draft, ada),
      ])
        await expect(call()).rejects.toMatchObject(missing)
    })

    it('finds prompts by tag and name, a page at a time, with latest versions and aliases', async () => {
      const store = await opened(open)
      for (const name of ['b', 'a', 'C', 'é']) await withPrompt(store, name, `${name} one`, `${name} two`)
      await store.prompts.create({ name: 'a-model', description: '', tags: {} })
      await store.aliases.move({ name: 'a', alias: 'production', to: 1, ...ada })
      const all = await store.prompts.search(searchPrompts())
      expect(all.items.map(({ name }) => name)).toEqual(['C', 'a', 'b', 'é']) // by code point
      expect(all.more).toBe(false)
      expect(all.items[1]).toEqual(await store.prompts.get('a'))
      const page = await store.prompts.search(searchPrompts({ limit: 2, offset: 1 }))
      expect(page.items.map(({ name }) => name)).toEqual(['a', 'b'])
      expect(page.more).toBe(true)
      const models = await store.prompts.search(searchPrompts({ clauses: [] }))
      expect(models.items.map(({ name }) => name)).toEqual(['a-model'])
      expect(await store.prompts.search(searchPrompts({ offset: 50 }))).toEqual({ items: [], more: false })
    })

    it('takes text that looks like SQL or JSON as text', async () => {
      const store = await opened(open)
      const odd = `'; drop table models; -- "\\ [1] {"a": "\\u0041"} \u2028 \t\n 😀`
      await store.prompts.create({ name: odd, description: odd, tags: { ...promptTags, [odd]: odd } })
      expect(await store.prompts.get(odd)).toMatchObject({
        name: odd,
        description: odd,
        tags: { [odd]: odd },
      })
    })
  })
}
