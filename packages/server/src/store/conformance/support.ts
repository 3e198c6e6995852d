import { digestOf, TAG } from '@promptkeep/client/protocol'
import { onTestFinished } from 'vitest'
import type { StoreOptions } from '../open-store.ts'
import { ANYBODY, type Author, type Search, type SeedDraft, type Store, type VersionDraft } from '../store.ts'

export type OpenStore = (options: StoreOptions) => Promise<Store>

export const ada: Author = { ...ANYBODY, actor: 'ada' }

/** A clock that only this test moves: each reading is one millisecond later. */
function ticking(start = 1_700_000_000_000): () => number {
  let time = start
  return () => time++
}

/** A store with a ticking clock, closed when the test is over. */
export async function opened(open: OpenStore, options: StoreOptions = {}): Promise<Store> {
  const store = await open({ now: ticking(), ...options })
  onTestFinished(() => store.close())
  return store
}

export const promptTags = { [TAG.isPrompt]: 'true' }

export const contentTags = (text: string) => ({
  [TAG.isPrompt]: 'true',
  [TAG.text]: text,
  [TAG.type]: 'text',
})

export async function draftOf(name: string, text: string, more: Partial<VersionDraft> = {}) {
  return {
    name,
    source: 'dummy-source',
    runId: '',
    runLink: '',
    description: '',
    digest: await digestOf({ template: text }),
    ...more,
    tags: { ...contentTags(text), ...more.tags },
  } satisfies VersionDraft
}

/** A prompt with one version for each text. */
export async function withPrompt(store: Store, name: string, ...texts: string[]) {
  await store.prompts.create({ name, description: '', tags: promptTags })
  for (const text of texts) await store.versions.create(await draftOf(name, text), ada)
}

export async function seedOf(name: string, text: string, alias = 'production'): Promise<SeedDraft> {
  return {
    name,
    alias,
    description: 'what it is for',
    commitMessage: 'as bundled',
    versionTags: { ...contentTags(text), [TAG.seeded]: 'true' },
    promptTags,
    digest: await digestOf({ template: text }),
  }
}

/** All prompts by name; a test replaces what it asks for. */
export const searchPrompts = (more: Partial<Search> = {}): Search => ({
  clauses: [{ entity: 'tag', key: TAG.isPrompt, comparator: '=', value: 'true' }],
  orderBy: [{ entity: 'attribute', key: 'name', ascending: true }],
  limit: 100,
  offset: 0,
  ...more,
})
