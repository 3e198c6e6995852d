import { digestOf, TAG } from '@promptkeep/client/protocol'
import { describe, expect, it } from 'vitest'
import { ada, type OpenStore, opened, withPrompt } from './support.ts'

export function describeAliases(open: OpenStore) {
  describe('aliases', () => {
    it('follows an alias to the version with its tags and all its aliases', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      for (const alias of ['production', 'a-b_9', '7'])
        await store.aliases.move({ name: 'x', alias, to: 1, ...ada })
      const found = await store.aliases.find('x', 'production')
      expect(found).toEqual(await store.versions.get('x', 1))
      expect(found?.aliases).toEqual(['7', 'a-b_9', 'production'])
      expect(found?.tags[TAG.text]).toBe('one')
    })

    it('is case-sensitive, and has no alias that nobody set', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      await store.aliases.move({ name: 'x', alias: 'production', to: 1, ...ada })
      expect(await store.aliases.find('x', 'Production')).toBeUndefined()
      expect(await store.aliases.find('x', '1')).toBeUndefined()
    })

    it('answers the newest live version as latest, in any case', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two', 'three')
      await store.versions.delete('x', 3, ada)
      await store.versions.transition('x', 1, 'Production', false)
      expect(await store.aliases.find('x', 'latest')).toMatchObject({ version: 2 })
      expect(await store.aliases.find('x', 'LaTeSt')).toMatchObject({ version: 2 })
      await store.versions.delete('x', 2, ada)
      await store.versions.delete('x', 1, ada)
      await expect(store.aliases.find('x', 'latest')).rejects.toMatchObject({
        code: 'VERSION_NOT_FOUND',
        message: 'Latest version not found for model x.',
      })
    })

    it('moves, and returns the change that it logged', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      const { updatedAt } = await store.prompts.get('x')
      await store.aliases.move({ name: 'x', alias: 'production', to: 1, ...ada })
      const change = await store.aliases.move({
        name: 'x',
        alias: 'production',
        to: 2,
        ...ada,
        actor: 'grace',
        reason: 'better tone',
        evidence: 'run 7',
      })
      expect(change).toEqual({
        seq: 4,
        kind: 'alias.moved',
        prompt: 'x',
        alias: 'production',
        from: 1,
        to: 2,
        digest: await digestOf({ template: 'two' }),
        actor: 'grace',
        reason: 'better tone',
        evidence: 'run 7',
        at: change.at,
      })
      expect(await store.changes.after(3, 10)).toEqual([change])
      expect((await store.prompts.get('x')).updatedAt).toBe(updatedAt)
    })

    it('refuses to point an alias at a missing version, and records nothing', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      await expect(
        store.aliases.move({ name: 'x', alias: 'production', to: 7, ...ada }),
      ).rejects.toMatchObject({
        code: 'VERSION_NOT_FOUND',
      })
      expect(await store.changes.after(1, 10)).toEqual([])
      expect(await store.aliases.find('x', 'production')).toBeUndefined()
    })

    it('says that there is no such prompt before it looks for the version', async () => {
      const store = await opened(open)
      await expect(store.aliases.move({ name: 'nope', alias: 'a', to: 1, ...ada })).rejects.toMatchObject({
        code: 'PROMPT_NOT_FOUND',
        message: 'Registered Model with name=nope not found',
      })
    })

    it('answers a repeated request with the change that it made, and compares and moves nothing', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      const move = { name: 'x', alias: 'production', to: 1, expected: null, requestId: 'r-1', ...ada }
      const made = await store.aliases.move(move)
      expect(await store.aliases.move(move)).toEqual(made)
      await store.aliases.move({ ...move, to: 2, expected: 1, requestId: 'r-2' })
      expect(await store.aliases.move(move)).toEqual(made)
      expect((await store.aliases.find('x', 'production'))?.version).toBe(2)
      expect(await store.changes.after(2, 10)).toHaveLength(2)
    })

    it('keeps request ids apart by prompt, and takes moves without one as often as they come', async () => {
      const store = await opened(open)
      for (const name of ['x', 'y']) await withPrompt(store, name, 'one')
      const move = { alias: 'a', to: 1, requestId: 'r-1', ...ada }
      expect(await store.aliases.move({ ...move, name: 'x' })).toMatchObject({ prompt: 'x' })
      expect(await store.aliases.move({ ...move, name: 'y' })).toMatchObject({ prompt: 'y' })
      for (let i = 0; i < 2; i++) await store.aliases.move({ name: 'x', alias: 'a', to: 1, ...ada })
      expect(await store.changes.after(2, 10)).toHaveLength(4)
    })

    it('answers a repeated request to who sent it first, and only the same kind of request', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      const move = { name: 'x', alias: 'a', to: 1, requestId: 'r-1', ...ada }
      await store.aliases.move(move)
      await store.aliases.move({ ...move, to: 2, requestId: 'r-2' })
      const back = { name: 'x', alias: 'a', reason: 'worse', requestId: 'r-3', ...ada }
      await store.history.rollback(back)
      const refused = (text: string) => ({ code: 'INVALID_INPUT', message: expect.stringContaining(text) })
      const bob = { ...ada, actor: 'bob' }
      await expect(store.aliases.move({ ...move, ...bob })).rejects.toMatchObject(
        refused('"r-1" was used before by ada, to point the alias a at version 1'),
      )
      await expect(store.history.rollback({ ...back, ...bob })).rejects.toMatchObject(
        refused('"r-3" was used before by ada, for change 5'),
      )
      // That rollback pointed it at version 1 too.
      await expect(store.aliases.move({ ...move, requestId: 'r-3' })).rejects.toMatchObject(
        refused('"r-3" was used before, for change 5'),
      )
      expect((await store.changes.bounds()).last).toBe(5)
    })

    it('refuses a request id that another move had, and moves nothing', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      const move = { name: 'x', alias: 'a', to: 1, requestId: 'r-1', ...ada }
      await store.aliases.move(move)
      for (const other of [{ to: 2 }, { alias: 'b' }])
        await expect(store.aliases.move({ ...move, ...other })).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          message: expect.stringContaining(
            'request_id "r-1" was used before, to point the alias a at version 1',
          ),
        })
      expect((await store.prompts.get('x')).aliases).toEqual([{ alias: 'a', version: 1 }])
    })

    it('compares and sets: the loser learns the current version', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one', 'two')
      const move = { name: 'x', alias: 'production', ...ada }
      await expect(store.aliases.move({ ...move, to: 1, expected: 2 })).rejects.toMatchObject({
        code: 'CONFLICT',
        current: null,
      })
      await store.aliases.move({ ...move, to: 1, expected: null })
      await expect(store.aliases.move({ ...move, to: 2, expected: null })).rejects.toMatchObject({
        code: 'CONFLICT',
        current: 1,
      })
      expect(await store.aliases.move({ ...move, to: 2, expected: 1 })).toMatchObject({ from: 1, to: 2 })
      expect(await store.changes.after(2, 10)).toHaveLength(2)
    })

    it('removes an alias once; after that nothing happens and nothing is logged', async () => {
      const store = await opened(open)
      await withPrompt(store, 'x', 'one')
      await store.aliases.move({ name: 'x', alias: 'production', to: 1, ...ada })
      await store.aliases.remove('x', 'production', { ...ada, reason: 'retired' })
      await store.aliases.remove('x', 'production', ada)
      await store.aliases.remove('x', 'latest', ada)
      expect(await store.aliases.find('x', 'production')).toBeUndefined()
      expect(await store.changes.after(2, 10)).toMatchObject([
        { kind: 'alias.removed', alias: 'production', from: 1, reason: 'retired' },
      ])
    })
  })
}
