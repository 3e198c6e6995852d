// How a suite went, what got worse and in which cases, and whether what an alias says now is judged and good enough.
import { createRegistry } from '@promptkeep/client'
import { check, compareRuns, createEvalDeps, readTrends, runEval } from '@promptkeep/evals'

const registry = createRegistry({ strict: true, cacheTtlSeconds: 0 })
const deps = createEvalDeps({ registry })
const { experiment } = deps
const suite = 'examples/evals/greeting.yaml'

await registry.register({ name: 'greeting', template: 'Hello {{ name }}' })
await registry.setAlias('greeting', 'production', 1)
await runEval({ suite }, deps)
await registry.register({ name: 'greeting', template: 'Who is {{ name }}?' })
await registry.setAlias('greeting', 'experiment', 2)
await runEval({ suite, promptAlias: 'experiment' }, deps)

const [trend] = await readTrends({ experiment, suites: ['greeting'], limit: 5 }, deps)
console.log(trend?.runs.map(({ value }) => value).join(', ')) // '0, 1', the newest first
console.log(trend?.runs[0]?.changed[0]?.to) // 2

const latest = await compareRuns('latest', 'previous', { experiment, suite: 'greeting' }, deps)
console.log(latest.outcome) // 'fail'
console.log(latest.cases.map(({ id, metric }) => `${id} ${metric}`)[0]) // 'ada pass_rate'

const { alias, exitCode } = await check({ experiment }, deps)
console.log(alias) // 'experiment'
console.log(exitCode) // 1

await registry.close()
