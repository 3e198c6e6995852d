import { type Limits, sleep, withDeadline } from './deadline.ts'
import { defined } from './defined.ts'
import { digestOf } from './digest.ts'
import { Conflict, InvalidInput, RegistryError } from './errors.ts'
import type { PromptInfo, PromptVersion } from './prompt.ts'
import type {
  AliasMove,
  Capabilities,
  Change,
  Page,
  PageRequest,
  SeedResult,
  Transport,
  VersionDraft,
} from './transport.ts'
import { absence } from './wire-error.ts'
import { TAG } from './wire-keys.ts'

/** Methods of the port that ask the registry. */
export type Call = Exclude<keyof Transport, 'address' | 'scope'>

/** What happens to a call instead of its answer; `times` calls of it (default: until the next `fault`). */
export type Fault = { readonly times?: number; readonly only?: Call } & (
  | { readonly kind: 'hang' }
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'error'; readonly error: Error }
  /** Answers this in place of the right thing. */
  | { readonly kind: 'wrong'; readonly answer: unknown }
)

export interface MemoryTransport extends Transport {
  /** Every call so far, in order. */
  readonly calls: readonly { readonly method: Call; readonly args: readonly unknown[] }[]
  /** From now on calls fail in this way; without an argument they are answered again. */
  fault(fault?: Fault): void
  /**
   * As another process would, whatever `fault` says: a text that a validator refuses may be stored, e.g. an empty one.
   * Calls that are made after it see it, also before it resolves.
   * @param alias - Points there in the same step. Default: no alias moves.
   */
  plant(draft: VersionDraft, alias?: string): Promise<PromptVersion>
  /** As another process would; its numbers start again at 1 when it is made anew. */
  remove(name: string): void
}

export interface MemoryOptions {
  readonly address?: string
  readonly scope?: string
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

interface Row {
  info: Omit<PromptInfo, 'aliases' | 'latestVersion'>
  versions: PromptVersion[]
  aliases: Map<string, number>
  hadAlias: boolean
}

/**
 * A registry in memory that behaves as ours does, with scripted faults: for tests of the library and of the
 * programs that use it.
 */
export function createMemoryTransport(options: MemoryOptions = {}): MemoryTransport {
  const { address = 'memory:', scope = 'memory', now = Date.now } = options
  const rows = new Map<string, Row>()
  const changes: Change[] = []
  const calls: { method: Call; args: readonly unknown[] }[] = []
  let script: Fault | undefined
  let left = 0
  let planting: Promise<unknown> | undefined

  function row(name: string): Row {
    const found = rows.get(name)
    if (!found) throw new RegistryError('PROMPT_NOT_FOUND', absence('PROMPT_NOT_FOUND', { name, address }))
    return found
  }

  function versionOf(name: string, version: number): PromptVersion {
    const found = rows.get(name)?.versions.find((v) => v.version === version)
    if (!found) {
      throw new RegistryError('VERSION_NOT_FOUND', absence('VERSION_NOT_FOUND', { name, version, address }))
    }
    return { ...structuredClone(found), aliases: aliasesOf(name, version) }
  }

  const aliasesOf = (name: string, version: number) =>
    [...row(name).aliases].filter(([, to]) => to === version).map(([alias]) => alias)

  function log(change: Omit<Change, 'seq' | 'at'>): Change {
    const written = { ...change, seq: changes.length + 1, at: now() }
    changes.push(written)
    return written
  }

  function append(draft: VersionDraft, digest: string): PromptVersion {
    const { name, description, commitMessage = '', tags = {}, ...content } = structuredClone(draft)
    const at = now()
    const made: Row = rows.get(name) ?? {
      info: { name, description: description ?? commitMessage, tags: {}, createdAt: at, updatedAt: at },
      versions: [],
      aliases: new Map(),
      hadAlias: false,
    }
    rows.set(name, made)
    const { template, modelConfig, responseFormat } = content
    const stored: PromptVersion = {
      name,
      version: made.versions.length + 1,
      template,
      ...(modelConfig && { modelConfig }),
      ...(responseFormat && { responseFormat }),
      commitMessage,
      tags,
      aliases: [],
      createdAt: at,
      digest,
    }
    made.versions.push(stored)
    made.info = { ...made.info, updatedAt: at }
    log({ kind: 'version.registered', prompt: name, to: stored.version, digest })
    return structuredClone(stored)
  }

  function point({ name, alias, to, expected, reason, evidence, force }: AliasMove): Change {
    // There are no policies here: nothing is ever forced, and what cannot be forced elsewhere cannot be here.
    if (force && !reason) throw new InvalidInput('force needs a reason, for the history keeps it')
    const prompt = row(name)
    const target = versionOf(name, to)
    const from = prompt.aliases.get(alias)
    if (expected !== undefined && expected !== (from ?? null)) {
      const said = from === undefined ? 'unset' : `at version ${from}`
      throw new Conflict(
        `alias "${alias}" of "${name}" is ${said}, not at ${expected ?? 'unset'}`,
        from ?? null,
      )
    }
    prompt.aliases.set(alias, to)
    prompt.hadAlias = true
    const optional = defined({ from, reason, evidence })
    return log({
      kind: 'alias.moved',
      prompt: name,
      alias,
      to,
      digest: target.digest,
      actor: 'memory',
      ...optional,
    })
  }

  async function seed({ alias, ...draft }: VersionDraft & { readonly alias: string }): Promise<SeedResult> {
    const digest = await digestOf(draft)
    const tagged = { ...draft, tags: { ...draft.tags, [TAG.seeded]: 'true' } }
    const existing = rows.get(draft.name)
    if (!existing || existing.versions.length === 0) {
      const version = append(tagged, digest).version
      point({ name: draft.name, alias, to: version })
      return { outcome: existing ? 'healed' : 'seeded', current: { version, digest } }
    }
    const [first, ...more] = existing.versions
    if (
      first &&
      more.length === 0 &&
      first.digest === digest &&
      first.tags[TAG.seeded] &&
      !existing.hadAlias
    ) {
      point({ name: draft.name, alias, to: first.version })
      return { outcome: 'healed', current: { version: first.version, digest } }
    }
    const at = existing.aliases.get(alias)
    if (at === undefined) return { outcome: 'skipped' }
    return { outcome: 'skipped', current: { version: at, digest: versionOf(draft.name, at).digest } }
  }

  function info(name: string): PromptInfo {
    const { info, versions, aliases } = row(name)
    const latest = versions.at(-1)
    return { ...info, aliases: Object.fromEntries(aliases), ...(latest && { latestVersion: latest.version }) }
  }

  function findByAlias(name: string, alias: string): PromptVersion {
    const { versions, aliases } = row(name)
    const to = alias === 'latest' ? versions.at(-1)?.version : aliases.get(alias)
    if (to !== undefined) return versionOf(name, to)
    const code = alias === 'latest' ? 'VERSION_NOT_FOUND' : 'ALIAS_NOT_FOUND'
    throw new RegistryError(code, absence(code, { name, alias, address }))
  }

  /** Records the call, then plays the fault or answers. Answers are copies: nobody reaches into the registry. */
  function play<T>(
    method: Call,
    args: readonly unknown[],
    limits: Limits = {},
    answer: () => T | Promise<T>,
  ) {
    calls.push({ method, args })
    const fault = script && left > 0 && (script.only ?? method) === method ? script : undefined
    if (fault) left--
    return withDeadline(limits, address, async (signal) => {
      if (fault?.kind === 'error') throw fault.error
      if (fault?.kind === 'wrong') return fault.answer as T
      if (fault?.kind === 'hang') await sleep(Number.POSITIVE_INFINITY, signal)
      if (fault?.kind === 'slow') await sleep(fault.ms, signal)
      await planting
      return structuredClone(await answer())
    })
  }

  /** One after the other: their numbers are in the order of the calls. */
  function plant(draft: VersionDraft, alias?: string): Promise<PromptVersion> {
    const given = structuredClone(draft)
    const planted = Promise.resolve(planting).then(async () => {
      const version = append(given, await digestOf(given))
      if (alias !== undefined) point({ name: given.name, alias, to: version.version })
      return version
    })
    planting = planted.catch(() => undefined)
    return planted
  }

  return {
    address,
    scope,
    calls,
    capabilities: (limits) => play('capabilities', [], limits, () => CAPABILITIES),
    findByAlias: (name, alias, limits) =>
      play('findByAlias', [name, alias], limits, () => findByAlias(name, alias)),
    findByVersion: (name, version, limits) =>
      play('findByVersion', [name, version], limits, () => versionOf(name, version)),
    find: (name, limits) => play('find', [name], limits, () => info(name)),
    list: (page, limits) =>
      play('list', [page], limits, () => pageOf([...rows.keys()].sort().map(info), page)),
    versions: (name, page, limits) =>
      play('versions', [name, page], limits, () =>
        pageOf(
          row(name)
            .versions.map((v) => versionOf(name, v.version))
            .reverse(),
          page,
        ),
      ),
    register: (draft, limits) =>
      play('register', [draft], limits, async () => append(draft, await digestOf(draft))),
    moveAlias: (move, limits) => play('moveAlias', [move], limits, () => point(move)),
    seed: (draft, limits) => play('seed', [draft], limits, () => seed(draft)),
    changes: (name, page, limits) =>
      play('changes', [name, page], limits, () => {
        const known = changes.filter((change) => change.prompt === name)
        if (known.length === 0) row(name)
        return pageOf(known.reverse(), page)
      }),
    fault(fault) {
      script = fault
      left = fault?.times ?? Number.POSITIVE_INFINITY
    },
    plant,
    remove(name) {
      if (rows.delete(name)) log({ kind: 'prompt.deleted', prompt: name })
    },
  }
}

const CAPABILITIES: Capabilities = {
  server: 'promptkeep',
  version: 'memory',
  seed: true,
  compareAndSet: true,
  history: true,
  live: false,
  fleet: false,
}

/** The token is the place of the next item. */
function pageOf<T>(all: readonly T[], { limit = 100, pageToken }: PageRequest = {}): Page<T> {
  const from = pageToken === undefined ? 0 : Number(pageToken)
  if (!Number.isInteger(from) || from < 0)
    throw new InvalidInput(`pageToken "${pageToken}" is not one of mine`)
  const end = from + limit
  return { items: all.slice(from, end), ...(end < all.length && { nextPageToken: String(end) }) }
}
