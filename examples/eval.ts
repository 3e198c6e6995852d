// A suite in TypeScript, run from code: which prompt it judged, and what came out of it.
import { createRegistry } from '@promptkeep/client'
import { createEvalDeps, exitCodeOf, runEval } from '@promptkeep/evals'

const registry = createRegistry({ strict: true, cacheTtlSeconds: 0 })
await registry.register({ name: 'welcome', template: 'Welcome, {{ name }}' })
await registry.register({ name: 'welcome', template: 'A very warm welcome to you, {{ name }}' })
await registry.setAlias('welcome', 'production', 1)
await registry.setAlias('welcome', 'experiment', 2)

const deps = createEvalDeps({ registry })
const suite = 'examples/evals/welcome.eval.ts'
const before = await runEval({ suite }, deps)
console.log(before.verdict) // 'passed'
console.log(before.prompts.welcome?.version) // 1

const after = await runEval({ suite, promptAlias: 'experiment' }, deps)
console.log(after.prompts.welcome?.version) // 2
console.log(after.cases[0]?.scores.find(({ name }) => name === 'brevity')?.reason) // '7 words'
console.log(exitCodeOf(after)) // 1

await registry.close()
