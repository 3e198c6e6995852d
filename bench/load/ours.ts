import { createRegistry } from '@promptkeep/client'
import { createMemoryTransport } from '@promptkeep/client/testing'
import { charactersOf, nanoseconds, TEMPLATE, VALUES } from './protocol.ts'
import { countFetch, readJob, serve } from './serve.ts'

/*
 * Each work has a loop of its own, as in the other clients' files: one loop for all would be compiled for all of them, and
 * cost more than what is measured.
 */

const { url } = readJob()
const requests = countFetch()
const registry = createRegistry({ trackingUri: url, cacheTtlSeconds: 3_600 })
const set = await registry.loadSet(['bench-0', 'bench-1'])
const other = createRegistry({ transport: createMemoryTransport() })
await other.register({ name: 'rendered', template: TEMPLATE })
const rendered = await other.load('rendered/1')
const map = new Map([['bench-0', await registry.load('bench-0')]])
const getAwaited = async (name: string) => map.get(name)

await serve(
  {
    load: (name) => registry.load(name),
    rounds: {
      async cachedLoad(calls) {
        const start = process.hrtime.bigint()
        for (let i = 0; i < calls; i += 1) await registry.load('bench-0')
        return nanoseconds(start, calls)
      },
      callAlone(calls) {
        let last: unknown
        const start = process.hrtime.bigint()
        for (let i = 0; i < calls; i += 1) last = registry.load('bench-0')
        return last === undefined ? Number.NaN : nanoseconds(start, calls)
      },
      async mapGet(calls) {
        const start = process.hrtime.bigint()
        for (let i = 0; i < calls; i += 1) await getAwaited('bench-0')
        return nanoseconds(start, calls)
      },
      setGet(calls) {
        let sum = 0
        const start = process.hrtime.bigint()
        for (let i = 0; i < calls; i += 1) sum += set.get('bench-0').version
        return sum === 0 ? Number.NaN : nanoseconds(start, calls)
      },
      render(calls) {
        let sum = 0
        const start = process.hrtime.bigint()
        for (let i = 0; i < calls; i += 1) sum += charactersOf(rendered.format(VALUES[i % 16]) as string)
        return sum === 0 ? Number.NaN : nanoseconds(start, calls)
      },
    },
  },
  requests,
)
