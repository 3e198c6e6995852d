// Names, variables and answers that the compiler knows: `promptkeep generate` wrote typed/prompts.gen.ts from the files.
import { fileURLToPath } from 'node:url'
import { createRegistry } from '@promptkeep/client'
import { readPromptFolder } from '@promptkeep/client/files'
import { parseResponse } from '@promptkeep/client/zod'
import type { Prompts } from './typed/prompts.gen.ts'

const files = await readPromptFolder(fileURLToPath(new URL('typed/prompts', import.meta.url)))
const defaults = files.map(({ name, path: _path, variables: _variables, ...content }) => [name, content])
const registry = createRegistry<Prompts>({ defaults: Object.fromEntries(defaults) })
await registry.seed()

const greeting = await registry.load('greeting') // load('greetign') does not compile
console.log(greeting.format({ who: 'Ada' })) // Greet Ada in one sentence.
// @ts-expect-error: nor does a variable that is missing or misspelt
const refused = () => greeting.format({ whom: 'Ada' })
console.log(greeting.variables.join(), refused.length) // who 0

const triage = await registry.load('triage')
const answer = parseResponse(triage, '{"area":"billing","isUrgent":true}') // what a model said
console.log(answer.area === 'billing' && answer.isUrgent) // true

await registry.close()
