import { describe, expect, it } from 'vitest'
import { GONE_AFTER_MS } from '../store.ts'
import { type OpenStore, opened } from './support.ts'

const running = (version: number) => ({
  name: 'memory',
  alias: 'production',
  version,
  digest: 'd'.repeat(64),
})

export function describeFleet(open: OpenStore) {
  describe('fleet', () => {
    it('keeps the newest report of each instance, by app and instance', async () => {
      const store = await opened(open)
      await store.fleet.report({ app: 'web', instance: 'b', prompts: [running(1)] }, 'ada')
      await store.fleet.report({ app: 'web', instance: 'a', seq: 7, prompts: [running(1)] }, 'ada')
      await store.fleet.report({ app: 'web', instance: 'b', seq: 8, prompts: [running(2)] }, 'ben')
      await store.fleet.report({ app: 'job', instance: 'z', prompts: [] }, 'ada')
      expect(await store.fleet.running()).toMatchObject([
        { app: 'job', instance: 'z', prompts: [] },
        { app: 'web', instance: 'a', seq: 7, actor: 'ada', prompts: [{ version: 1 }] },
        { app: 'web', instance: 'b', seq: 8, actor: 'ben', prompts: [running(2)] },
      ])
      expect((await store.fleet.running('job')).map(({ instance }) => instance)).toEqual(['z'])
    })

    it('an instance that leaves, or reports no more, is gone', async () => {
      const clock = { ms: 1_700_000_000_000 }
      const store = await opened(open, { now: () => clock.ms })
      for (const instance of ['a', 'b', 'c'])
        await store.fleet.report({ app: 'web', instance, prompts: [] }, 'ada')
      await store.fleet.leave('web', 'a')
      await store.fleet.leave('web', 'nobody')
      clock.ms += GONE_AFTER_MS + 1
      await store.fleet.report({ app: 'web', instance: 'c', prompts: [] }, 'ada')
      expect((await store.fleet.running()).map(({ instance }) => instance)).toEqual(['c'])
    })

    it('is no change of the log', async () => {
      const store = await opened(open)
      await store.fleet.report({ app: 'web', instance: 'a', prompts: [running(1)] }, 'ada')
      expect(await store.changes.list({ limit: 1 })).toEqual([])
    })
  })
}
