import { TAG } from '@promptkeep/client/protocol'
import { describe, expect, it } from 'vitest'
import { ada, draftOf, type OpenStore, opened, promptTags, seedOf, withPrompt } from './support.ts'

export function describeConcurrency(open: OpenStore) {
  describe('concurrent callers', () => {
    it('gives every version its own number and every change its own place', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x')
      const drafts = await Promise.all(Array.from({ length: 20 }, (_, i) => draftOf('x', `text ${i}`)))
      const made = await Promise.all(drafts.map((draft) => store.versions.create(draft, ada)))
      const numbers = made.map(({ version }) => version).sort((a, b) => a - b)
      expect(numbers).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
      const log = await store.changes.after(0, 100)
      expect(log.map(({ seq }) => seq)).toEqual(numbers)
      expect(log.map(({ to }) => to)).toEqual(numbers)
    })

    it('lets one of many compare-and-sets win', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two', 'three', 'four', 'five')
      await store.aliases.move({ name: 'x', alias: 'production', to: 1, ...ada })
      const results = await Promise.allSettled(
        [2, 3, 4, 5].map((to) =>
          store.aliases.move({ name: 'x', alias: 'production', to, expected: 1, ...ada }),
        ),
      )
      const won = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
      const lost = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
      expect(won).toHaveLength(1)
      for (const error of lost) expect(error).toMatchObject({ code: 'CONFLICT', current: won[0]?.to })
      expect((await store.aliases.find('x', 'production'))?.version).toBe(won[0]?.to)
    })

    it('makes one change of a move that is sent several times at the same time', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      const move = { name: 'x', alias: 'production', to: 1, expected: null, requestId: 'r-1', ...ada }
      const made = await Promise.all(Array.from({ length: 8 }, () => store.aliases.move(move)))
      expect(new Set(made.map(({ seq }) => seq))).toEqual(new Set([2]))
      expect(await store.changes.after(1, 10)).toEqual([made[0]])
    })

    it('records both of two moves; the last one holds', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      await Promise.all(
        [1, 2].map((to) =>
          store.aliases.move({ name: 'x', alias: 'production', to, ...ada, actor: `mover of ${to}` }),
        ),
      )
      const [last, first] = await store.changes.list({ prompt: 'x', limit: 2 })
      expect(last?.from).toBe(first?.to)
      expect((await store.aliases.find('x', 'production'))?.version).toBe(last?.to)
    })

    it('seeds once, however many seed', async () => {
      const store = await opened(open)
      const draft = await seedOf('memory', 'the default')
      const outcomes = await Promise.all(Array.from({ length: 8 }, () => store.prompts.seed(draft, ada)))
      expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(
        ['seeded', ...Array(7).fill('skipped')].sort(),
      )
      expect(await store.changes.after(0, 10)).toHaveLength(2)
    })

    it('makes one version of a create that is sent twice at the same time', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x')
      const draft = await draftOf('x', 'text', { tags: { [TAG.requestId]: 'r-1' } })
      const made = await Promise.all(Array.from({ length: 5 }, () => store.versions.create(draft, ada)))
      expect(new Set(made.map(({ version }) => version))).toEqual(new Set([1]))
    })

    it('gives a name to one of two', async () => {
      const store = await opened(open)
      const results = await Promise.allSettled(
        Array.from({ length: 5 }, () =>
          store.prompts.create({ name: 'x', description: '', tags: promptTags }),
        ),
      )
      const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
      expect(refused).toHaveLength(4)
      for (const error of refused) expect(error).toMatchObject({ message: 'Prompt (name=x) already exists.' })
    })

    it('answers either fully or not at all while a prompt is deleted under its writers', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      const results = await Promise.allSettled([
        store.versions.setTag('x', 1, 'k', 'v', ada),
        store.prompts.setTag('x', 'k', 'v'),
        store.prompts.delete('x', ada),
        store.prompts.setTag('x', 'k2', 'v'),
        store.versions.setTag('x', 1, 'k2', 'v', ada),
        store.aliases.move({ name: 'x', alias: 'a', to: 1, ...ada }),
        store.prompts.update('x', 'd'),
      ])
      for (const result of results)
        if (result.status === 'rejected')
          expect(['PROMPT_NOT_FOUND', 'VERSION_NOT_FOUND']).toContain(result.reason.code)
      await expect(store.prompts.get('x')).rejects.toMatchObject({ code: 'PROMPT_NOT_FOUND' })
    })
  })
}
