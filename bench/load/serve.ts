import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { takeOrders } from '../worker-side.ts'
import type { Client, ColdLoads, Job, Order, Work } from './protocol.ts'

export const readJob = (): Job => JSON.parse(process.argv[2] ?? '{}') as Job

/** Counts what goes through the global fetch, which the TypeScript clients use; call it before a client is made. */
export function countFetch(): { readonly count: number } {
  const counter = { count: 0 }
  const real = globalThis.fetch
  globalThis.fetch = (...args) => {
    counter.count += 1
    return real(...args)
  }
  return counter
}

/** Lets the bench measure a client in this process. */
export async function serve(client: Client, requests: { readonly count: number }): Promise<void> {
  let collections = 0
  new PerformanceObserver((list) => {
    collections += list.getEntries().length
  }).observe({ entryTypes: ['gc'] })

  function round(work: Work, calls: number): number | Promise<number> {
    const run = client.rounds[work]
    if (!run) throw new Error(`no ${work} here`)
    return run(calls)
  }

  /** The heap grows by what is allocated as long as nothing is collected: its young part is made large for this. */
  async function bytes(work: Work, calls: number): Promise<number | null> {
    globalThis.gc?.()
    await turn()
    await turn() // until the observer has heard of it
    const [before, collected] = [process.memoryUsage().heapUsed, collections]
    await round(work, calls)
    const used = process.memoryUsage().heapUsed - before
    await turn()
    await turn()
    return collections === collected ? used / calls : null
  }

  async function cold(names: readonly string[]): Promise<ColdLoads> {
    const before = requests.count
    const ms: number[] = []
    for (const name of names) {
      const start = performance.now()
      await client.load(name)
      ms.push(performance.now() - start)
    }
    return { ms, requests: requests.count - before }
  }

  await takeOrders<Order>(async (order) => {
    if (order.op === 'cold') return cold(order.names)
    return order.op === 'round' ? round(order.work, order.calls) : bytes(order.work, order.calls)
  })
}
