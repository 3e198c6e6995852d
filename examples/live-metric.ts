// What users say of the versions of a rollout, for `promptkeep guard`: it ends the rollout when one does worse.
import { createRegistry } from '@promptkeep/client'
import { createAdmin } from '@promptkeep/client/admin'
import { createEvalDeps, createLiveMetric } from '@promptkeep/evals'

const registry = createRegistry({ cacheTtlSeconds: 0 })
await registry.register({ name: 'opening', template: 'Be kind.' })
await registry.register({ name: 'opening', template: 'Be brief.' })
await registry.setAlias('opening', 'production', 1)
await createAdmin().rollout({ name: 'opening', weights: { 1: 50, 2: 50 }, reason: 'a look at v2' })

const { tracking } = createEvalDeps({ registry })
const thumbs = createLiveMetric({ metric: 'thumbs_up', tracking, now: Date.now })

const seen = new Map<number, number>()
for (const user of Array.from({ length: 100 }, (_, i) => `user-${i}`)) {
  const prompt = await registry.load('opening', { key: user })
  seen.set(prompt.version, (seen.get(prompt.version) ?? 0) + 1)
  // … later, when the user has said something: 1 is up, 0 is down.
  thumbs.observe(prompt, 1)
}
await thumbs.flush() // every few seconds
await thumbs.close() // at the end
console.log([...seen.keys()].sort().join(', ')) // '1, 2'
console.log([...seen.values()].reduce((all, one) => all + one)) // 100

await registry.close()
