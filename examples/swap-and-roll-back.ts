// Two versions behind two aliases; a swap, a conflict, and the way back.
import { createRegistry } from '@promptkeep/client'

const registry = createRegistry({ cacheTtlSeconds: 0 })
const first = await registry.register({ name: 'tone', template: 'Be kind.' })
const second = await registry.register({
  name: 'tone',
  template: 'Be brief.',
  commitMessage: 'shorter answers',
  modelConfig: { temperature: 0.2 },
})
await registry.setAlias('tone', 'production', first.version)
await registry.setAlias('tone', 'experiment', second.version)

// A chain: `experiment` where a prompt has it, `production` elsewhere.
const candidate = await registry.load('tone', { alias: ['experiment', 'production'] })
console.log(candidate.alias, candidate.template) // experiment Be brief.

// Compare-and-set: someone who thinks that production is at version 2 is told.
try {
  await registry.setAlias('tone', 'production', 2, { expected: 2, reason: 'promote' })
} catch (error) {
  if (!(error instanceof Error && 'code' in error && error.code === 'CONFLICT')) throw error
  console.log('conflict') // conflict
}

await registry.setAlias('tone', 'production', second.version, { expected: first.version, reason: 'it won' })
console.log((await registry.load('tone')).template) // Be brief.
await registry.setAlias('tone', 'production', first.version, { reason: 'roll back' })
console.log((await registry.load('tone')).template) // Be kind.

await registry.close()
