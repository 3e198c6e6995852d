import { digestOf, TAG } from '@promptkeep/client/protocol'
import { describe, expect, it } from 'vitest'
import type { Store } from '../store.ts'
import { ada, draftOf, type OpenStore, opened, promptTags, withPrompt } from './support.ts'

const point = (store: Store, name: string, alias: string, to: number) =>
  store.aliases.move({ name, alias, to, ...ada })

export function describeHistory(open: OpenStore) {
  describe('resolving', () => {
    it('answers many prompts through a chain, each by the first alias that it has', async () => {
      const store = await opened(open)
      await withPrompt(store, 'a', 'a one', 'a two')
      await withPrompt(store, 'b', 'b one')
      await withPrompt(store, 'c', 'c one')
      await withPrompt(store, 'empty')
      await point(store, 'a', 'production', 1)
      await point(store, 'a', 'experiment', 2)
      await point(store, 'b', 'production', 1)
      const names = ['b', 'ghost', 'a', 'c', 'empty', 'a', 'b']
      const { seq, found, missing } = await store.history.resolve(names, ['experiment', 'production'])
      expect(seq).toBe(7)
      expect(found.map(({ name, alias, version }) => [name, alias, version.version])).toEqual([
        ['b', 'production', 1],
        ['a', 'experiment', 2],
      ])
      expect(found[1]?.version).toEqual(await store.aliases.find('a', 'experiment'))
      expect(missing).toEqual([
        { name: 'ghost', code: 'PROMPT_NOT_FOUND' },
        { name: 'c', code: 'ALIAS_NOT_FOUND' },
        { name: 'empty', code: 'ALIAS_NOT_FOUND' },
      ])
    })

    it('follows latest like any other alias of the chain', async () => {
      const store = await opened(open)
      await withPrompt(store, 'a', 'one', 'two', 'three')
      await withPrompt(store, 'empty')
      await point(store, 'a', 'production', 1)
      await store.versions.delete('a', 3, ada)
      const by = async (...chain: string[]) =>
        (await store.history.resolve(['a', 'empty'], chain)).found.map(({ name, alias, version }) => [
          name,
          alias,
          version.version,
        ])
      expect(await by('latest', 'production')).toEqual([['a', 'latest', 2]])
      expect(await by('production', 'latest')).toEqual([['a', 'production', 1]])
      expect(await by('experiment', 'LATEST')).toEqual([['a', 'LATEST', 2]])
    })

    it('of nothing answers the seq alone', async () => {
      const store = await opened(open)
      expect(await store.history.resolve([], ['production'])).toEqual({ seq: 0, found: [], missing: [] })
      await withPrompt(store, 'a', 'one')
      expect(await store.history.resolve([], ['production'])).toEqual({ seq: 1, found: [], missing: [] })
    })

    it('answers hundreds of names at once', async () => {
      const store = await opened(open)
      await withPrompt(store, 'p7', 'one')
      await point(store, 'p7', 'production', 1)
      const names = Array.from({ length: 500 }, (_, i) => `p${i}`)
      const { found, missing } = await store.history.resolve(names, ['production'])
      expect([found.length, missing.length]).toEqual([1, 499])
    })
  })

  describe('resolving at a time', () => {
    /** A store whose clock is set by hand. */
    async function timed(options: { allowModelConfigEdit?: boolean } = {}) {
      const clock = { now: 1000 }
      const store = await opened(open, { now: () => clock.now, ...options })
      const at = async (time: number, names = ['x'], chain = ['experiment', 'production']) => {
        const { found, missing } = await store.history.resolveAt(names, chain, time)
        return [
          ...found.map(({ name, alias, version, content }) => [
            name,
            alias,
            version,
            content?.tags[TAG.text] ?? null,
          ]),
          ...missing.map(({ name, code }) => [name, code]),
        ]
      }
      return { clock, store, at }
    }

    it('tells what each alias said then, and the change that made it so', async () => {
      const { clock, store, at } = await timed()
      await withPrompt(store, 'x', 'one', 'two')
      clock.now = 2000
      await point(store, 'x', 'production', 1)
      clock.now = 3000
      const moved = await store.aliases.move({
        name: 'x',
        alias: 'production',
        to: 2,
        ...ada,
        reason: 'better',
      })
      clock.now = 4000
      await point(store, 'x', 'experiment', 1)
      clock.now = 5000
      await store.aliases.remove('x', 'experiment', ada)
      expect(await at(999)).toEqual([['x', 'PROMPT_NOT_FOUND']])
      expect(await at(1999)).toEqual([['x', 'ALIAS_NOT_FOUND']])
      expect(await at(2000)).toEqual([['x', 'production', 1, 'one']])
      expect(await at(2999)).toEqual([['x', 'production', 1, 'one']])
      expect(await at(3999)).toEqual([['x', 'production', 2, 'two']])
      expect(await at(4000)).toEqual([['x', 'experiment', 1, 'one']])
      expect(await at(9000)).toEqual([['x', 'production', 2, 'two']])
      const { seq, found } = await store.history.resolveAt(['x'], ['production'], 3500)
      expect(seq).toBe(moved.seq)
      expect(found[0]?.since).toEqual(moved)
      expect(found[0]?.digest).toBe(await digestOf({ template: 'two' }))
    })

    it('goes by the names of that day, and tells the lives of a name apart', async () => {
      const { clock, store, at } = await timed()
      await withPrompt(store, 'x', 'first life')
      await point(store, 'x', 'production', 1)
      clock.now = 2000
      await store.prompts.rename('x', 'y', ada)
      clock.now = 3000
      await withPrompt(store, 'x', 'second life')
      await point(store, 'x', 'production', 1)
      clock.now = 4000
      await store.prompts.delete('x', ada)
      clock.now = 5000
      await withPrompt(store, 'x', 'third life')
      expect(await at(1000, ['x', 'y'])).toEqual([
        ['x', 'production', 1, 'first life'],
        ['y', 'PROMPT_NOT_FOUND'],
      ])
      expect(await at(2000, ['x', 'y'])).toEqual([
        ['y', 'production', 1, 'first life'],
        ['x', 'PROMPT_NOT_FOUND'],
      ])
      expect(await at(3000, ['x', 'y'])).toEqual([
        ['x', 'production', 1, 'second life'],
        ['y', 'production', 1, 'first life'],
      ])
      expect(await at(4000, ['x'])).toEqual([['x', 'PROMPT_NOT_FOUND']])
      expect(await at(5000, ['x'])).toEqual([['x', 'ALIAS_NOT_FOUND']])
    })

    it('has the text of deleted versions, and of deleted prompts with their deleted versions', async () => {
      const { clock, store, at } = await timed()
      await withPrompt(store, 'x', 'one', 'two')
      await point(store, 'x', 'production', 1)
      clock.now = 2000
      await store.versions.delete('x', 1, ada)
      expect(await at(1000)).toEqual([['x', 'production', 1, 'one']])
      expect(await at(2000)).toEqual([['x', 'ALIAS_NOT_FOUND']])
      await point(store, 'x', 'production', 2)
      clock.now = 3000
      await store.prompts.delete('x', ada)
      expect(await at(1000)).toEqual([['x', 'production', 1, 'one']])
      expect(await at(2000)).toEqual([['x', 'production', 2, 'two']])
      expect(await at(3000)).toEqual([['x', 'PROMPT_NOT_FOUND']])
    })

    it('keeps every version of a large prompt', async () => {
      const { clock, store, at } = await timed()
      await withPrompt(store, 'x', ...Array.from({ length: 230 }, (_, i) => `text ${i + 1}`))
      await point(store, 'x', 'production', 101)
      clock.now = 2000
      await point(store, 'x', 'production', 230)
      clock.now = 3000
      await store.prompts.delete('x', ada)
      expect(await at(1000)).toEqual([['x', 'production', 101, 'text 101']])
      expect(await at(2000)).toEqual([['x', 'production', 230, 'text 230']])
    })

    it('undoes what was edited since: config with its digest, message, rollout', async () => {
      const { clock, store } = await timed({ allowModelConfigEdit: true })
      await store.prompts.create({ name: 'x', description: '', tags: promptTags })
      const before = await digestOf({ template: 'one' })
      const after = await digestOf({ template: 'one', modelConfig: { temperature: 1 } })
      const tags = { [TAG.digest]: before, team: 'search' }
      await store.versions.create(await draftOf('x', 'one', { tags, description: 'first' }), ada)
      await point(store, 'x', 'production', 1)
      const rollout = `${TAG.rolloutPrefix}production`
      const original = await store.versions.get('x', 1)
      clock.now = 2000
      await store.versions.setTag('x', 1, rollout, '{"1": 90}', ada)
      clock.now = 3000
      await store.versions.setTag('x', 1, TAG.modelConfig, '{"temperature": 1}', ada)
      await store.versions.update('x', 1, undefined, ada)
      await store.versions.setTag('x', 1, rollout, '{"1": 50}', ada)
      await store.versions.setTag('x', 1, 'team', 'chat', ada)
      await point(store, 'x', 'stable', 1)
      clock.now = 4000
      await store.versions.update('x', 1, 'third', ada)
      await store.versions.deleteTag('x', 1, TAG.modelConfig, ada)
      await store.versions.deleteTag('x', 1, rollout, ada)
      const check = async () => {
        const then = async (time: number) =>
          (await store.history.resolveAt(['x'], ['production'], time)).found[0]
        expect(await then(1000)).toMatchObject({
          digest: before,
          rollout: undefined,
          content: {
            description: 'first',
            aliases: ['production'],
            createdAt: original.createdAt,
            // Free tags are not in the log: they are what they are now.
            tags: { ...original.tags, team: 'chat' },
          },
        })
        expect((await then(1000))?.content?.tags).not.toHaveProperty([TAG.modelConfig])
        expect(await then(2000)).toMatchObject({ digest: before, rollout: '{"1": 90}' })
        const third = await then(3000)
        expect(third).toMatchObject({
          digest: after,
          rollout: '{"1": 50}',
          content: {
            aliases: ['production', 'stable'],
            tags: { [TAG.modelConfig]: '{"temperature": 1}', [TAG.digest]: after },
          },
        })
        expect(third?.content?.description).toBeUndefined()
        expect(third?.since).toMatchObject({ kind: 'alias.moved', seq: 2 })
        expect(await then(4000)).toMatchObject({ digest: before, content: { description: 'third' } })
      }
      await check()
      clock.now = 5000
      await store.prompts.delete('x', ada)
      await check()
    })

    it('knows what latest was, since it was registered or a newer one was deleted', async () => {
      const { clock, store } = await timed()
      await withPrompt(store, 'x', 'one', 'two')
      clock.now = 2000
      await store.versions.create(await draftOf('x', 'three'), ada)
      clock.now = 3000
      await store.versions.delete('x', 3, ada)
      clock.now = 4000
      await store.versions.delete('x', 1, ada)
      await store.versions.delete('x', 2, ada)
      const at = async (time: number) => {
        const { found, missing } = await store.history.resolveAt(['x'], ['nope', 'latest'], time)
        return found[0] ? [found[0].version, found[0].since.seq, found[0].since.kind] : missing[0]?.code
      }
      expect(await at(1000)).toEqual([2, 2, 'version.registered'])
      expect(await at(2000)).toEqual([3, 3, 'version.registered'])
      expect(await at(3000)).toEqual([2, 4, 'version.deleted'])
      expect(await at(4000)).toBe('ALIAS_NOT_FOUND')
    })

    it('is not confused by a clock that is set back: the time of the log never is', async () => {
      const { clock, store, at } = await timed()
      clock.now = 3_600_000
      await withPrompt(store, 'x', 'one', 'two')
      await point(store, 'x', 'production', 1)
      clock.now = 0
      const moved = await point(store, 'x', 'production', 2)
      expect(moved.at).toBe(3_600_000)
      clock.now = 3_600_001
      expect((await point(store, 'x', 'production', 1)).at).toBe(3_600_001)
      const times = (await store.changes.after(0, 10)).map((change) => change.at)
      expect(times).toEqual([...times].sort((a, b) => a - b))
      expect(await at(3_600_000)).toEqual([['x', 'production', 2, 'two']])
      expect(await at(3_599_999)).toEqual([['x', 'PROMPT_NOT_FOUND']])
      const seqs = (await store.changes.list({ since: 3_600_001, limit: 10 })).map(({ seq }) => seq)
      expect(seqs).toEqual([5])
    })
  })
}
