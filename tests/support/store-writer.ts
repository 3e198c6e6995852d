import { statSync, writeSync } from 'node:fs'
import { digestOf, TAG } from '@promptkeep/client/protocol'
import { openStore } from '../../packages/server/src/store/open-store.ts'
import { ANYBODY } from '../../packages/server/src/store/store.ts'

/*
 * A process that writes to a store until it is killed: `store-writer.ts <database URL> <actor> [<writes>]`. After
 * each write that the store acknowledged it prints a line of JSON, at once; with a third argument it ends after that
 * many.
 */

/** One acknowledged write. */
export interface Acknowledged {
  readonly kind: 'version.registered' | 'alias.moved'
  readonly prompt: string
  readonly version: number
  /** Size of the write-ahead log right after it, in bytes; 0 where there is none. */
  readonly walBytes: number
}

const [url = '', actor = '', limit] = process.argv.slice(2)
const wal = url.startsWith('sqlite:') ? `${url.slice('sqlite:'.length)}-wal` : undefined
const walBytes = () => (wal ? statSync(wal).size : 0)
const acknowledge = (write: Omit<Acknowledged, 'walBytes'>) =>
  writeSync(1, `${JSON.stringify({ ...write, walBytes: walBytes() })}\n`)

const store = await openStore(url)
const prompt = 'shared'
await store.prompts
  .create({ name: prompt, description: '', tags: { [TAG.isPrompt]: 'true' } })
  .catch((error: { code?: string }) => {
    if (error.code !== 'CONFLICT') throw error // another writer made it
  })

for (let i = 0; limit === undefined || i < Number(limit); i++) {
  const text = `${actor} wrote ${i}. ${'Some text. '.repeat(i % 40)}`
  const tags = { [TAG.isPrompt]: 'true', [TAG.text]: text, [TAG.type]: 'text', author: actor }
  const digest = await digestOf({ template: text })
  const content = { source: 'dummy-source', runId: '', runLink: '', description: text, tags, digest }
  const { version } = await store.versions.create({ name: prompt, ...content }, { ...ANYBODY, actor })
  acknowledge({ kind: 'version.registered', prompt, version })
  await store.aliases.move({ name: prompt, alias: `${actor}-${i % 3}`, to: version, ...ANYBODY, actor })
  acknowledge({ kind: 'alias.moved', prompt, version })
}
await store.close()
