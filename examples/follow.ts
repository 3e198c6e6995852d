// A swap is in the next load at once: no TTL to wait for, no request at the load, no restart.
import { createRegistry } from '@promptkeep/client'

const editor = createRegistry() // somebody else, somewhere else
const first = await editor.register({ name: 'motto', template: 'Be kind.' })
const second = await editor.register({ name: 'motto', template: 'Be brief.' })
await editor.setAlias('motto', 'production', first.version)

const app = createRegistry({ cacheTtlSeconds: 3600 })
let heard = () => {}
const following = await app.follow({ onChange: ({ to }) => to === second.version && heard() })
await following.ready
console.log(following.state) // live
console.log((await app.load('motto')).template) // Be kind.

const change = new Promise<void>((resolve) => {
  heard = resolve
})
await editor.setAlias('motto', 'production', second.version, { reason: 'shorter' })
await change
const prompt = await app.load('motto')
console.log(prompt.source, prompt.template) // cache Be brief.

await app.close() // ends the stream, too
await editor.close()
