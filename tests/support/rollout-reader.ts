import { createRegistry } from '@promptkeep/client'

/** Which version of `memory` each of many users gets in this process, as JSON on standard output. */
const [, , trackingUri = '', users = '0'] = process.argv
const registry = createRegistry({ trackingUri, env: {}, strict: true })
const versions: number[] = []
for (let i = 0; i < Number(users); i++)
  versions.push((await registry.load('memory', { key: `user-${i}` })).version)
await registry.close()
process.stdout.write(JSON.stringify(versions))
