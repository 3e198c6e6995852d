import { createRegistry } from '@promptkeep/client'

/*
 * A program that follows the registry and loads one prompt as often as it can. Tells when a load gave another version for
 * the first time, by the clock that all processes of a machine share.
 */

export interface Seen {
  readonly version: number
  /** Milliseconds since the epoch, with fractions. */
  readonly at: number
  /** How the load was answered: `cache`, for a follower. */
  readonly source: string
}

const [trackingUri = ''] = process.argv.slice(2)
const registry = createRegistry({ trackingUri, env: {}, cacheTtlSeconds: 3600 })
let last = (await registry.load('bench')).version
const following = await registry.follow()
await following.ready
process.send?.('ready')
let isOver = false
process.on('disconnect', () => {
  isOver = true
})
while (!isOver) {
  const { version, source } = await registry.load('bench')
  if (version !== last) {
    last = version
    process.send?.({ version, source, at: performance.timeOrigin + performance.now() } satisfies Seen)
  }
  await new Promise(setImmediate)
}
await registry.close()
