import { describe, expect, it } from 'vitest'
import { ada, type OpenStore, opened, withPrompt } from './support.ts'

export function describeChanges(open: OpenStore) {
  describe('the change log', () => {
    it('numbers changes from 1 without a gap, also after refused ones', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      await expect(store.aliases.move({ name: 'x', alias: 'a', to: 9, ...ada })).rejects.toThrow()
      await expect(store.versions.delete('x', 9, ada)).rejects.toThrow()
      await expect(store.prompts.rename('x', 'x2', ada)).resolves.toBeDefined()
      await store.aliases.move({ name: 'x2', alias: 'a', to: 1, ...ada })
      const log = await store.changes.after(0, 10)
      expect(log.map(({ seq, kind }) => [seq, kind])).toEqual([
        [1, 'version.registered'],
        [2, 'prompt.renamed'],
        [3, 'alias.moved'],
      ])
    })

    it('pages: forward over all prompts, backward over one', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two', 'three')
      await withPrompt(store, 'y', 'one')
      const seqs = (changes: readonly { seq?: number }[]) => changes.map(({ seq }) => seq)
      expect(seqs(await store.changes.after(1, 2))).toEqual([2, 3])
      expect(seqs(await store.changes.after(3, 2))).toEqual([4])
      expect(await store.changes.after(4, 2)).toEqual([])
      expect(seqs(await store.changes.list({ prompt: 'x', limit: 2 }))).toEqual([3, 2])
      expect(seqs(await store.changes.list({ prompt: 'x', limit: 2, before: 2 }))).toEqual([1])
      expect(await store.changes.list({ prompt: 'ghost', limit: 2 })).toEqual([])
    })

    it('ends a page where its texts become long, and never before the first change', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      const long = 'x'.repeat(1_500_000)
      for (const first of ['a', 'b', 'c', 'd'])
        await store.versions.update('x', 1, first + long, { ...ada, reason: first })
      const seqs = ({ changes }: { changes: readonly { seq?: number }[] }) => changes.map(({ seq }) => seq)
      // Each says what was before and after: 1.5 million characters the first, 3 million the others.
      const pages = []
      for (let before: number | undefined = 6; before !== undefined; ) {
        const page = await store.changes.page({ prompt: 'x', limit: 3, before })
        pages.push(seqs(page))
        before = page.more ? page.changes.at(-1)?.seq : undefined
      }
      expect(pages).toEqual([[5], [4], [3], [2, 1]])
      const [newest] = (await store.changes.page({ limit: 1 })).changes
      expect(newest).toEqual((await store.changes.list({ limit: 1 }))[0])
      expect(await store.changes.page({ prompt: 'x', limit: 2, before: 3 })).toMatchObject({ more: false })
      expect(await store.changes.page({ prompt: 'x', limit: 1, before: 3 })).toMatchObject({ more: true })
      expect(await store.changes.page({ prompt: 'ghost', limit: 1 })).toEqual({ changes: [], more: false })
    })

    it('keeps the log of a deleted prompt, before that of the next one of its name', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      await store.prompts.delete('x', { ...ada, reason: 'obsolete' })
      await withPrompt(store, 'x', 'fresh')
      const log = await store.changes.list({ prompt: 'x', limit: 10 })
      expect(log.map(({ kind }) => kind)).toEqual([
        'version.registered',
        'prompt.deleted',
        'version.registered',
      ])
      expect(log[1]).toMatchObject({ actor: 'ada', reason: 'obsolete' })
      expect(log[0]?.digest).not.toBe(log[2]?.digest)
    })

    it('shows the whole history of a renamed prompt under its new name, as it was written', async () => {
      const store = await opened(open)
      await withPrompt(store, 'a', 'one')
      await store.prompts.rename('a', 'b', ada)
      await store.prompts.rename('b', 'c', ada)
      await store.aliases.move({ name: 'c', alias: 'production', to: 1, ...ada })
      await withPrompt(store, 'a', 'another prompt of that name')
      const under = async (name: string) =>
        (await store.changes.list({ prompt: name, limit: 10 })).map(({ seq, prompt }) => [seq, prompt])
      expect(await under('c')).toEqual([
        [4, 'c'],
        [3, 'b'],
        [2, 'a'],
        [1, 'a'],
      ])
      expect(await under('b')).toEqual([
        [3, 'b'],
        [2, 'a'],
        [1, 'a'],
      ])
      expect(await under('a')).toEqual([
        [5, 'a'],
        [2, 'a'],
        [1, 'a'],
      ])
    })
  })
}
