// A candidate gets production by evidence about its very text; one that is worse does not.
import { createRegistry } from '@promptkeep/client'
import { createPromoteDeps, loadCoreSuites, promote } from '@promptkeep/evals'

const registry = createRegistry({ strict: true, cacheTtlSeconds: 0 })
await registry.register({ name: 'greeting', template: 'Hello {{ name }}' })
await registry.setAlias('greeting', 'production', 1)
await registry.register({ name: 'greeting', template: 'Hello and welcome, {{ name }}' })
await registry.setAlias('greeting', 'experiment', 2)

// Without `named`: those of the folder that say `core: true`.
const where = { folder: 'examples/evals', named: ['examples/evals/greeting.yaml'], cwd: process.cwd() }
const suites = await loadCoreSuites(where, { fetch })
const deps = createPromoteDeps()
const better = await promote({ name: 'greeting', suites }, deps)
console.log(better.outcome) // 'promoted'
console.log(better.change?.to) // 2

await registry.register({ name: 'greeting', template: 'Who is {{ name }}?' })
await registry.setAlias('greeting', 'experiment', 3)
const worse = await promote({ name: 'greeting', suites }, deps)
console.log(worse.outcome) // 'refused'
console.log(worse.suites[0]?.worse.join(', ')) // 'ada, grace, edsger'
console.log((await registry.load('greeting')).version) // 2

await deps.close()
await registry.close()
