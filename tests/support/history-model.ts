import { type Change, TAG } from '@promptkeep/client/protocol'

/*
 * What a registry must hold when its log is the truth, told by the log alone: an implementation of its own, which shares
 * nothing with the server's. It knows prompts by name, as a reader of the log does.
 */

export interface ModelledVersion {
  readonly seq: number
  digest: string | undefined
  /** `undefined` until it was edited; `null` when it was removed. */
  message: string | null | undefined
  readonly rollouts: Map<string, string>
}

export interface ModelledPrompt {
  readonly versions: Map<number, ModelledVersion>
  readonly aliases: Map<string, { readonly version: number; readonly since: number }>
  /** The last deletion of the version that was the newest. */
  newestSince: number
}

export interface Said {
  readonly alias: string
  readonly version: number
  readonly since: number
  readonly content: ModelledVersion
  /** Aliases that say the same version, sorted. */
  readonly aliases: readonly string[]
}

export interface HistoryModel {
  readonly prompts: ReadonlyMap<string, ModelledPrompt>
  /** Names that a second prompt got. */
  readonly reused: ReadonlySet<string>
  /** @throws when the change cannot have happened after those before it */
  apply(change: Change): void
  resolve(name: string, chain: readonly string[]): Said | 'PROMPT_NOT_FOUND' | 'ALIAS_NOT_FOUND'
}

export function createHistoryModel(): HistoryModel {
  const prompts = new Map<string, ModelledPrompt>()
  const ever = new Set<string>()
  const reused = new Set<string>()
  /** What each alias said right after a row, of the prompt that the row speaks of. */
  const past = new Map<number, { prompt: ModelledPrompt; said: ReadonlyMap<string, string> }>()
  /** Rows of a rollback whose last one, that of the alias, is not there yet. */
  let pending: number[] = []

  function promptOf(name: string): ModelledPrompt {
    const known = prompts.get(name)
    if (known) return known
    if (ever.has(name)) reused.add(name)
    ever.add(name)
    const made = { versions: new Map(), aliases: new Map(), newestSince: 0 }
    prompts.set(name, made)
    return made
  }

  /** All that a rollback has to bring back. */
  function saying(prompt: ModelledPrompt): Map<string, string> {
    const all = new Map<string, string>()
    for (const [alias, { version }] of prompt.aliases) {
      const { digest, rollouts } = must(prompt.versions.get(version), `version ${version}`)
      all.set(alias, JSON.stringify([version, digest, rollouts.get(alias)]))
    }
    return all
  }

  /** What the alias says is what it said then, and each row of the rollback stands for all of it. */
  function finishRollback(prompt: ModelledPrompt, change: Change, at: string) {
    const restores = must(change.restores, at)
    const then = must(past.get(restores), `${at}: row ${restores}`)
    const said = saying(prompt)
    same(at, then.prompt === prompt, true)
    same(at, said.get(change.alias ?? ''), then.said.get(change.alias ?? ''))
    for (const seq of pending) past.set(seq, { prompt, said })
    pending = []
  }

  function move(prompt: ModelledPrompt, change: Change, at: string) {
    const alias = must(change.alias, at)
    same(at, change.from, prompt.aliases.get(alias)?.version)
    if (change.kind === 'alias.removed') prompt.aliases.delete(alias)
    else {
      const version = must(change.to, at)
      must(prompt.versions.get(version), at)
      prompt.aliases.set(alias, { version, since: must(change.seq, at) })
    }
    if (change.restores !== undefined) finishRollback(prompt, change, at)
  }

  function edit(prompt: ModelledPrompt, change: Change, at: string) {
    const version = must(prompt.versions.get(must(change.to, at)), at)
    const { before, after } = JSON.parse(must(change.evidence, at)) as Record<
      'before' | 'after',
      string | null
    >
    if (change.kind === 'message.edited') {
      if (version.message !== undefined) same(at, before, version.message)
      version.message = after
    } else if (change.kind === 'config.edited') version.digest = change.digest
    else {
      const alias = must(change.alias, at)
      same(at, before, version.rollouts.get(alias) ?? null)
      if (after === null) version.rollouts.delete(alias)
      else version.rollouts.set(alias, after)
    }
  }

  function apply(change: Change) {
    const seq = must(change.seq, 'seq')
    const at = `change ${seq} ${JSON.stringify(change)}`
    if (change.restores === undefined) same(at, pending.length, 0)
    else if (change.kind === 'config.edited' || change.kind === 'rollout.changed') pending.push(seq)
    const prompt = promptOf(change.prompt)
    switch (change.kind) {
      case 'version.registered': {
        const number = must(change.to, at)
        const versions = [...prompt.versions.keys()]
        if (versions.some((other) => other >= number)) throw new Error(`${at}: not above the others`)
        const rollouts = new Map<string, string>()
        prompt.versions.set(number, { seq, digest: change.digest, message: undefined, rollouts })
        prompt.newestSince = seq
        break
      }
      case 'alias.moved':
      case 'alias.removed':
        move(prompt, change, at)
        break
      case 'rollout.changed':
      case 'config.edited':
      case 'message.edited':
        edit(prompt, change, at)
        break
      case 'version.deleted': {
        const number = must(change.from, at)
        same(
          at,
          [...prompt.aliases.values()].some(({ version }) => version === number),
          false,
        )
        if (number === Math.max(...prompt.versions.keys())) prompt.newestSince = seq
        same(at, prompt.versions.delete(number), true)
        break
      }
      case 'prompt.deleted':
        prompts.delete(change.prompt)
        break
      case 'prompt.renamed': {
        const to = must(change.newName, at)
        same(at, prompts.has(to), false)
        if (ever.has(to)) reused.add(to)
        ever.add(to)
        prompts.delete(change.prompt)
        prompts.set(to, prompt)
        break
      }
    }
    // An edit tells the digest that the version has after it; a move, that of the version it points at.
    if (change.to !== undefined) same(at, change.digest, prompt.versions.get(change.to)?.digest)
    past.set(seq, { prompt, said: saying(prompt) })
  }

  function resolve(name: string, chain: readonly string[]) {
    const prompt = prompts.get(name)
    if (!prompt) return 'PROMPT_NOT_FOUND'
    for (const alias of chain) {
      const newest = prompt.versions.size === 0 ? undefined : Math.max(...prompt.versions.keys())
      const latest = newest === undefined ? undefined : { version: newest, since: prompt.newestSince }
      const found = alias === 'latest' ? latest : prompt.aliases.get(alias)
      if (!found) continue
      const { version } = found
      const content = must(prompt.versions.get(version), `${name} ${version}`)
      const aliases = [...prompt.aliases].filter(([, one]) => one.version === version).map(([one]) => one)
      return { ...found, alias, content, aliases: aliases.sort() }
    }
    return 'ALIAS_NOT_FOUND'
  }

  return { prompts, reused, apply, resolve }
}

/** The rollouts among the tags of a version. */
export const rolloutsOf = (tags: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(tags)
      .filter(([key]) => key.startsWith(TAG.rolloutPrefix))
      .map(([key, value]) => [key.slice(TAG.rolloutPrefix.length), value]),
  )

function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`The log has a change that cannot be: ${what}`)
  return value
}

function same(what: string, found: unknown, expected: unknown) {
  if (found !== expected)
    throw new Error(`The log has a change that cannot be: ${what}: ${String(found)}, not ${String(expected)}`)
}
