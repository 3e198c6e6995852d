import { hasCode, isAbsence, type PromptInfo } from '@promptkeep/client'
import type { Admin } from '@promptkeep/client/admin'
import type { Change } from '@promptkeep/client/protocol'
import { answered, type EvalRegistry } from './aliases.ts'

/** The registry's log of changes; on a stock MLflow there is none. */
export type RegistryLog = Pick<Admin, 'capabilities' | 'changes'>

/**
 * Where a registry stood before a run began: the last change of its log, or, where it keeps none, what every alias said.
 * JSON, so that a run which is resumed goes on from it.
 */
export type WatchMark =
  | { readonly seq: number }
  | {
      readonly prompts: Readonly<Record<string, Pick<PromptInfo, 'aliases' | 'latestVersion' | 'createdAt'>>>
    }

/** A prompt as a run used it. */
export interface Watched {
  readonly name: string
  readonly version: number
  /** Aliases that could have answered: that which did, behind those that come before it. Empty: it was loaded by number. */
  readonly aliases: readonly string[]
  /** Whether another alias would have answered, had the one that did not been set: it stands behind it in the chain. */
  readonly hasNext: boolean
}

/** Looks at a registry while a run goes on, in which none of its prompts may change. */
export interface AliasWatch {
  readonly mark: WatchMark
  /** What a reader should know of what it cannot see. */
  readonly note?: string
  /**
   * What happened to these prompts since, by name; none where nothing did. Ask when the last case is over.
   * @throws {EvalFailure} the registry cannot be asked
   */
  changes(used: readonly Watched[]): Promise<ReadonlyMap<string, string>>
}

/**
 * Begins to look. A change counts from here on: the log numbers them, so that no clock has to be right.
 * @param mark - Of the run that is gone on with.
 * @throws {EvalFailure} the registry cannot be asked
 */
export async function watchAliases(
  { registry, log }: { readonly registry: EvalRegistry; readonly log?: RegistryLog | undefined },
  mark?: WatchMark,
): Promise<AliasWatch> {
  const hasLog = log !== undefined && (await answered(log.capabilities())).history
  if (hasLog && (mark === undefined || 'seq' in mark)) return watchLog(log, mark?.seq)
  return watchStates(registry, mark !== undefined && 'prompts' in mark ? mark.prompts : undefined)
}

const PAGE = 1000

async function watchLog(log: RegistryLog, from: number | undefined): Promise<AliasWatch> {
  const last = async () => (await answered(log.changes({ limit: 1 }))).items[0]?.seq ?? 0
  const seq = from ?? (await last())

  async function since(): Promise<Change[] | undefined> {
    const found: Change[] = []
    let pageToken: string | undefined
    do {
      const page = await answered(log.changes({ limit: PAGE, pageToken }))
      // Newest first. A log that ends before it began is another one: of a backup that was restored.
      if (pageToken === undefined && (page.items[0]?.seq ?? 0) < seq) return undefined
      for (const change of page.items) {
        if ((change.seq ?? 0) <= seq) return found.reverse()
        found.push(change)
      }
      pageToken = page.nextPageToken
    } while (pageToken !== undefined)
    return found.reverse()
  }

  return {
    mark: { seq },
    async changes(used) {
      const changes = await since()
      return new Map(
        used.flatMap((prompt): [string, string][] => {
          if (changes === undefined)
            return [[prompt.name, 'the log of the registry is another one than when the run began']]
          const one = changes.find((change) => concerns(change, prompt))
          return one === undefined ? [] : [[prompt.name, describe(one)]]
        }),
      )
    },
  }
}

/** Whether a change may have altered what the run got when it asked for this prompt. */
function concerns(change: Change, prompt: Watched): boolean {
  const { name, version, aliases } = prompt
  const { kind, alias = '', from, to } = change
  if (kind === 'prompt.renamed') return change.prompt === name || change.newName === name
  if (change.prompt !== name) return false
  switch (kind) {
    case 'prompt.deleted':
      return true
    case 'version.deleted':
      return from === version || aliases.includes('latest')
    case 'config.edited':
      return to === version
    case 'version.registered':
      return aliases.includes('latest')
    case 'rollout.changed':
    case 'alias.removed':
      return aliases.includes(alias)
    case 'alias.moved':
      return aliases.includes(alias) && !isFirstSet(prompt, from, to)
    default:
      return false
  }
}

/** Before its only alias was set nothing answered for this prompt: a target that seeds what is new changes nothing. */
const isFirstSet = ({ version, aliases, hasNext }: Watched, from?: number, to?: number): boolean =>
  from === undefined && to === version && aliases.length === 1 && !hasNext

function describe({ kind, alias, from, to, newName, seq }: Change): string {
  const says = (version: number | undefined) => (version === undefined ? 'unset' : `v${version}`)
  const what = {
    'alias.moved': `${alias} moved from ${says(from)} to ${says(to)}`,
    'alias.removed': `${alias} was removed, which said ${says(from)}`,
    'rollout.changed': `the rollout of ${alias} was changed`,
    'config.edited': `the model config of ${says(to)} was edited`,
    'version.registered': `${says(to)} was registered, and is latest`,
    'version.deleted': `${says(from)} was deleted`,
    'prompt.deleted': 'it was deleted',
    'prompt.renamed': `it was renamed to ${newName}`,
    'message.edited': 'a message was edited',
  }[kind]
  return `${what} (change ${seq})`
}

type States = Extract<WatchMark, { readonly prompts: unknown }>['prompts']

const BLIND =
  'this registry keeps no log of changes (stock MLflow does not): an alias that moved away and back while the run went on is not seen'

/** Without a log: what the aliases said before, and what they say after. */
async function watchStates(registry: EvalRegistry, before?: States): Promise<AliasWatch> {
  const prompts = before ?? (await statesOf(registry))
  return {
    mark: { prompts },
    note: BLIND,
    async changes(used) {
      const found = new Map<string, string>()
      for (const prompt of used) {
        const change = difference(prompt, prompts[prompt.name], await stateNow(registry, prompt.name))
        if (change !== undefined) found.set(prompt.name, change)
      }
      return found
    },
  }
}

function difference(
  prompt: Watched,
  before: States[string] | undefined,
  now: States[string] | undefined,
): string | undefined {
  if (now === undefined) return 'it is gone'
  if (before !== undefined && before.createdAt !== now.createdAt) return 'it was deleted and made anew'
  for (const alias of prompt.aliases) {
    const [then, after] = [before, now].map((state) =>
      alias === 'latest' ? state?.latestVersion : state?.aliases[alias],
    )
    if (then === after || isFirstSet(prompt, then, after)) continue
    const says = (one: number | undefined) => (one === undefined ? 'nothing' : `v${one}`)
    return `${alias} said ${says(then)} before the run and says ${says(after)} after it`
  }
  return undefined
}

async function statesOf(registry: EvalRegistry): Promise<States> {
  const states: [string, States[string]][] = []
  let pageToken: string | undefined
  do {
    const page = await answered(registry.list({ limit: PAGE, pageToken }))
    states.push(...page.items.map((info): [string, States[string]] => [info.name, stateOf(info)]))
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
  return Object.fromEntries(states)
}

async function stateNow(registry: EvalRegistry, name: string): Promise<States[string] | undefined> {
  return answered(
    registry.find(name).then(stateOf, (error: unknown) => {
      if (isAbsence(error) || hasCode(error, 'INVALID_INPUT')) return undefined
      throw error
    }),
  )
}

const stateOf = ({ aliases, latestVersion, createdAt }: PromptInfo): States[string] => ({
  aliases,
  createdAt,
  ...(latestVersion === undefined ? {} : { latestVersion }),
})
