import { type Change, digestOf, TAG } from '@promptkeep/client/protocol'
import type { Store } from '../../packages/server/src/store/store.ts'

/** What a store holds: `version -> digest` of its text, and `alias -> version`, per prompt. */
export type Holdings = Record<string, { versions: Record<number, string>; aliases: Record<string, number> }>

/** All changes, oldest first. */
export async function wholeLog(store: Store): Promise<Change[]> {
  const log: Change[] = []
  for (;;) {
    const page = await store.changes.after(log.at(-1)?.seq ?? 0, 500)
    if (page.length === 0) return log
    log.push(...page)
  }
}

/** What must be there if the log is the truth, for the kinds that `store-writer.ts` makes. */
export function replayed(log: readonly Change[]): Holdings {
  const holdings: Holdings = {}
  for (const { kind, prompt, alias, to, digest } of log) {
    holdings[prompt] ??= { versions: {}, aliases: {} }
    if (to === undefined) throw new Error(`a ${kind} without a version`)
    if (kind === 'version.registered') holdings[prompt].versions[to] = digest ?? ''
    else if (kind === 'alias.moved' && alias !== undefined) holdings[prompt].aliases[alias] = to
    else throw new Error(`${kind} is not expected here`)
  }
  return holdings
}

/** What is there: digests are computed from the stored texts, not read. */
export async function held(store: Store): Promise<Holdings> {
  const holdings: Holdings = {}
  const isPrompt = { entity: 'tag', key: TAG.isPrompt, comparator: '=', value: 'true' } as const
  const byName = { entity: 'attribute', key: 'name', ascending: true } as const
  const all = { clauses: [isPrompt], orderBy: [byName], limit: 100_000, offset: 0 }
  for (const { name, aliases } of (await store.prompts.search(all)).items)
    holdings[name] = {
      versions: {},
      aliases: Object.fromEntries(aliases.map(({ alias, version }) => [alias, version])),
    }
  for (const { name, version, tags } of (await store.versions.search(all)).items) {
    const prompt = holdings[name]
    if (prompt) prompt.versions[version] = await digestOf({ template: tags[TAG.text] ?? '' })
  }
  return holdings
}
