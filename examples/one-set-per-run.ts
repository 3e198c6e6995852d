// The prompts of one run, resolved together and pinned: what was used travels with the answer.
import { createRegistry } from '@promptkeep/client'

const registry = createRegistry({
  defaults: { system: 'You answer in one sentence.', question: 'What is {{ topic }}?' },
})
await registry.seed()

const set = await registry.loadSet(['system', 'question'])
const messages = [
  { role: 'system', content: set.get('system').format() },
  { role: 'user', content: set.get('question').format({ topic: 'a registry' }) },
]
console.log(messages[1]?.content) // What is a registry?
console.log(set.versions.system?.version, set.versions.system?.alias) // 1 production
console.log(set.fingerprint.length) // 64

await registry.close()
