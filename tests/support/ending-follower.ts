import { createRegistry } from '@promptkeep/client'

/*
 * A script that follows a registry, does its work and ends, without `close`: `ending-follower.ts <tracking URI> [name]`. It
 * says what became of the follower, unless there is no work.
 */

const [trackingUri = '', name] = process.argv.slice(2)
const registry = createRegistry({ trackingUri, env: {} })
const following = await registry.follow({ pollIntervalSeconds: 1, report: { app: 'script' } })
if (name !== undefined) {
  await following.ready
  const { version } = await registry.load(name)
  process.stdout.write(`${following.state} ${version}\n`)
}
