import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openStore } from './open-store.ts'
import { createSeenVersions } from './seen-versions.ts'
import { ANYBODY, type ModelVersion } from './store.ts'

const version = (text: string): ModelVersion => ({
  ...{ name: 'memory', version: 1, description: '', source: 's', runId: '', runLink: '', stage: 'None' },
  ...{ createdAt: 1, updatedAt: 1, tags: { text }, aliases: [] },
})

/** A cache whose look-ups are counted. */
function watched(maxSize?: number) {
  const state = { stamp: 1 as unknown, reads: 0, found: version('one') as ModelVersion | undefined }
  const seen = createSeenVersions(() => state.stamp, maxSize)
  async function find(alias = 'production', meanwhile = () => {}) {
    return (
      seen.get('memory', alias) ??
      seen.keep('memory', alias, async () => {
        state.reads++
        meanwhile()
        return state.found
      })
    )
  }
  return { state, find }
}

describe('what look-ups found', () => {
  it('is kept while nothing is committed, and read again after that', async () => {
    const { state, find } = watched()
    expect(await find()).toBe(await find())
    expect(state.reads).toBe(1)
    state.stamp = 2
    state.found = version('two')
    expect((await find())?.tags).toEqual({ text: 'two' })
    expect(state.reads).toBe(2)
  })

  it('is not kept when something was committed while it was read', async () => {
    const { state, find } = watched()
    await find('production', () => {
      state.stamp = 2
    })
    await find('other')
    await find()
    expect(state.reads).toBe(3)
  })

  it.each([
    ['what is not there', { found: undefined }],
    ['anything where the database cannot tell', { stamp: undefined }],
    ['what is larger than all that may be kept', { found: version('x'.repeat(3000)) }],
  ])('does not keep %s', async (_, given) => {
    const { state, find } = watched(2000)
    Object.assign(state, given)
    await find()
    await find()
    expect(state.reads).toBe(2)
  })

  it('is bounded', async () => {
    const { state, find } = watched(2000)
    for (const alias of ['a', 'b', 'c', 'd', 'a']) await find(alias)
    expect(state.reads).toBe(5)
  })

  it('is never older than what any connection committed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'promptkeep-seen-'))
    const url = `sqlite:${join(folder, 'registry.db')}`
    const [store, other] = [await openStore(url), await openStore(url)]
    onTestFinished(async () => {
      await store.close()
      await other.close()
      await rm(folder, { recursive: true, force: true })
    })
    const name = 'memory'
    await store.prompts.create({ name, description: '', tags: {} })
    const draft = { name, source: 's', runId: '', runLink: '', description: '', tags: {} }
    for (let i = 0; i < 3; i++) await store.versions.create(draft, ANYBODY)
    const says = async () => (await store.aliases.find(name, 'production'))?.version
    for (const [by, to] of [
      [store, 1],
      [other, 2],
      [store, 3],
      [other, 1],
    ] as const) {
      await by.aliases.move({ name, alias: 'production', to, ...ANYBODY })
      expect([await says(), await says()]).toEqual([to, to])
    }
    await other.versions.setTag(name, 1, 'note', 'new', ANYBODY)
    expect((await store.aliases.find(name, 'production'))?.tags).toEqual({ note: 'new' })
    await other.aliases.remove(name, 'production', ANYBODY)
    expect(await says()).toBeUndefined()
  })
})
