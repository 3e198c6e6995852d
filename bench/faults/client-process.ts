import { takeOrders } from '../worker-side.ts'
import { shiftableClock } from './clock.ts'
import type { Job, Load, Loaded, Order } from './job.ts'

/*
 * One client in a process of its own: `client-process.ts <client> <job>`. Takes orders as lines, one after the other.
 */

const [client = '', given = '{}'] = process.argv.slice(2)
const job = JSON.parse(given) as Job
// Before the client is read, which may keep `Date.now` as it was then.
const shiftClock = shiftableClock()
const { createLoad } = (await import(`./clients/${client}.ts`)) as { createLoad(job: Job): Load }
const load = createLoad(job)

async function timed(name: string): Promise<Loaded> {
  const start = performance.now()
  try {
    const text = await load(name)
    return { name, ms: performance.now() - start, text }
  } catch (error) {
    return { name, ms: performance.now() - start, error: nameOf(error) }
  }
}

/** A code says most, then a status, then the class. */
function nameOf(error: unknown): string {
  const { code, status, statusCode, name } = (error ?? {}) as Record<string, unknown>
  return String(code ?? status ?? statusCode ?? name ?? error)
}

await takeOrders<Order>(async (order) => {
  if (order.op === 'load') return Promise.all(order.names.map(timed))
  if (order.op === 'clock') return shiftClock(order.shiftMs)
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
})
