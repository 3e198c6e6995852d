// One alias, two versions: who gets which is decided by a key, here, and stays the same as the share grows.
import { createRegistry } from '@promptkeep/client'
import { createAdmin } from '@promptkeep/client/admin'

const admin = createAdmin()
const registry = createRegistry({ cacheTtlSeconds: 0 })
const steady = await registry.register({ name: 'opening', template: 'Be kind.' })
const fresh = await registry.register({ name: 'opening', template: 'Be brief.' })
await registry.setAlias('opening', 'production', steady.version)

const users = Array.from({ length: 1000 }, (_, i) => `user-${i}`)
/** Who gets the new version now. */
const lucky = async () => {
  const versions = await Promise.all(
    users.map(async (key) => (await registry.load('opening', { key })).version),
  )
  return new Set(users.filter((_, i) => versions[i] === fresh.version))
}

await admin.rollout({ name: 'opening', weights: { 1: 90, 2: 10 }, reason: 'try it' })
const tenth = await lucky()
console.log(tenth.size > 60 && tenth.size < 140) // true
console.log((await registry.load('opening')).version) // 1

await admin.rollout({ name: 'opening', weights: { 1: 50, 2: 50 }, reason: 'looks good' })
const half = await lucky()
console.log(half.size > 420 && half.size < 580) // true
console.log([...tenth].every((user) => half.has(user))) // true

await admin.rollout({ name: 'opening', weights: { 2: 100 }, reason: 'for all' })
console.log((await lucky()).size, (await registry.load('opening')).version) // 1000 2

await registry.close()
