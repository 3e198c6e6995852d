import { createInterface } from 'node:readline'

/** What a worker's answers begin with, for whatever it measures may print what it likes. */
export const MARK = '@@'

/** Takes orders as lines of JSON, one after the other, until there are no more. */
export async function takeOrders<Order>(carryOut: (order: Order) => Promise<unknown>): Promise<void> {
  const say = (value: unknown) => process.stdout.write(`${MARK}${JSON.stringify(value ?? null)}\n`)
  say('ready')
  for await (const line of createInterface({ input: process.stdin }))
    say(await carryOut(JSON.parse(line) as Order))
  process.exit() // what was measured may keep the process alive
}
