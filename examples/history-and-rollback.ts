// What happened, what production said before, and the way back in one call that the history keeps.
import { createRegistry } from '@promptkeep/client'
import { createAdmin } from '@promptkeep/client/admin'

const registry = createRegistry()
const admin = createAdmin() // both find the registry by MLFLOW_TRACKING_URI
for (const template of ['Be kind.', 'Be kind and brief.', 'Be brief.']) {
  const { version } = await registry.register({ name: 'voice', template })
  await registry.setAlias('voice', 'production', version, { reason: template.toLowerCase() })
}

const { items } = await admin.changes({ prompt: 'voice', kinds: ['alias.moved'], limit: 2 })
console.log(items[0]?.from, items[0]?.to, items[0]?.reason) // 2 3 be brief.

const [undone] = await admin.rollback({ name: 'voice', reason: 'too curt', expected: 3 })
console.log(undone?.from, undone?.to, undone?.restores === items[1]?.seq) // 3 2 true

const { prompts, missing } = await admin.resolve(['voice', 'nobody'], { alias: ['experiment', 'production'] })
console.log(prompts[0]?.alias, prompts[0]?.content?.template) // production Be kind and brief.
console.log(missing[0]?.code) // PROMPT_NOT_FOUND

const then = await admin.resolve(['voice'], { at: undone?.at ?? 0 }) // what it said at that moment
console.log(then.prompts[0]?.version, then.prompts[0]?.since?.reason) // 2 too curt

await registry.close()
