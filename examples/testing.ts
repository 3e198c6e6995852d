// A registry without a server, for the tests of programs that load prompts (any test runner will do).
import { createTestRegistry } from '@promptkeep/client/testing'

const registry = createTestRegistry({
  prompts: { memory: 'Remember {{ what }}.' }, // what the registry holds
  defaults: { memory: 'Bundled.', tone: 'Be kind.' }, // what the app brings
})
const answer = async (name: string, values = {}) => (await registry.load(name)).format(values) // your program

console.log(await answer('memory', { what: 'notes' })) // Remember notes.
await registry.set('memory', 'Note {{ what }} down.') // as another process would
console.log(await answer('memory', { what: 'it' })) // Note it down.

registry.hang() // from now on nobody answers
console.log(await answer('memory', { what: 'it' })) // Note it down.
console.log(await answer('tone')) // Be kind.
console.log(registry.loads.map(({ source }) => source).join()) // registry,registry,stale,default
console.log(registry.log.of('prompt.fell_back')[0]?.fields.code) // TIMEOUT

await registry.heal()
registry.fail('FORBIDDEN') // or UNAVAILABLE, TIMEOUT, …
console.log((await registry.load('tone')).isFallback) // true

await registry.close()
