import { checkAlias, checkName, checkVersion } from './check-names.ts'
import { withDeadline } from './deadline.ts'
import { isAbsence, isRegistryError } from './errors.ts'
import { hasIncludes } from './include-statement.ts'
import type { Loader } from './loader-port.ts'
import { checkLimits, checkPage } from './query.ts'
import { keyOf } from './question.ts'
import { checkObject } from './refuse.ts'
import type { Registry } from './registry-api.ts'
import { createRunStorage } from './run.ts'
import { createSeeder, type SeederOptions } from './seeder.ts'
import { DEFAULT_TRACKING_URI, readDefaults, type Settings } from './settings.ts'
import type { RequestOptions, VersionDraft } from './transport.ts'
import { checkDraft, checkDrafts, checkNote } from './validate.ts'

/** Requests that a person or a script waits for; a load has its own, shorter limit. */
const REQUEST_TIMEOUT_MS = 10_000

export interface CallsDeps extends Omit<SeederOptions, 'alias' | 'command' | 'logger' | 'onSeeded'> {
  readonly loader: Loader
  readonly settings: Settings
}

export type Calls = Pick<
  Registry,
  'register' | 'setAlias' | 'seed' | 'capabilities' | 'find' | 'list' | 'versions' | 'changes'
> & { readonly drifted: readonly string[] }

/** Everything but loads: what an app needs now and then is read from the disk when it is first called. */
export function createCalls(deps: CallsDeps): Calls {
  const { transport, loader, settings, closing, onAnswer, onTrouble } = deps
  const { chain, logger, promptsFolder } = settings
  const { cache, scope } = loader.inside
  // `latest` cannot be pointed anywhere.
  const alias = chain.findLast((one) => one !== 'latest') ?? 'production'
  const seeder = createSeeder({
    ...deps,
    alias,
    logger,
    command: (direction) => commandFor(direction, promptsFolder, alias, transport.address),
    onSeeded: (name, version) => loader.written(name, { alias }, { version }),
  })

  /** Checked, ended by `close`, and noted for readiness. */
  async function ask<T>(
    name: string,
    given: RequestOptions,
    work: (limits: RequestOptions) => Promise<T>,
  ): Promise<T> {
    checkLimits(given)
    closing.throwIfAborted()
    const timeoutMs = given.timeoutMs ?? REQUEST_TIMEOUT_MS
    const signal = given.signal ? AbortSignal.any([given.signal, closing]) : closing
    try {
      const answer = await withDeadline({ signal, timeoutMs }, transport.address, (signal) =>
        work({ signal, timeoutMs }),
      )
      onAnswer(name)
      return answer
    } catch (error) {
      if (isRegistryError(error) && !signal.aborted) onTrouble(error)
      throw error
    }
  }

  /** Every client reads one text: what it includes is put in before it is registered. */
  async function withParts(draft: VersionDraft, limits: RequestOptions): Promise<VersionDraft> {
    if (!hasIncludes(draft.template)) return draft
    const { expandDraft } = await import('./includes.ts')
    const expanded = await expandDraft(draft, async ({ name, alias, version }) => {
      if (version !== undefined) return transport.findByVersion(name, version, limits)
      const asked = alias === undefined ? chain : [alias]
      for (const one of asked.slice(0, -1)) {
        const found = await transport.findByAlias(name, one, limits).catch((error: unknown) => {
          if (!isAbsence(error)) throw error
        })
        if (found) return found
      }
      return transport.findByAlias(name, asked.at(-1) as string, limits)
    })
    return checkDraft(expanded)
  }

  /** This process moved an alias: its own loads see it from now on. */
  async function takeMove(
    name: string,
    alias: string,
    version: number,
    given: RequestOptions,
  ): Promise<void> {
    const key = keyOf(scope, name, { alias })
    const isInUse = cache.peek(key.text) !== undefined
    loader.written(name, { alias }, { version })
    if (!isInUse) return
    try {
      // What was known of this number may be from before the prompt was deleted and made anew.
      const pinned = keyOf(scope, name, { version })
      const timeoutMs = given.timeoutMs ?? settings.timeoutMs
      const { source } = await loader.find([pinned], { timeoutMs, signal: given.signal, maxAgeMs: 0 })
      const answer = cache.peek(pinned.text)?.answer
      if (source === 'registry' && answer?.kind === 'value') cache.write(key.text, answer)
    } catch {
      // The move itself succeeded; the next load asks for the alias.
    }
  }

  return {
    async register(draft, given = {}) {
      const checked = checkDraft(draft)
      const version = await ask(checked.name, given, async (limits) =>
        transport.register(await withParts(checked, limits), limits),
      )
      loader.written(version.name, { version: version.version })
      return version
    },
    async setAlias(name, alias, version, given = {}) {
      checkName(name)
      checkAlias(alias)
      checkVersion(version)
      checkObject(given, 'options')
      const { expected, reason, evidence, force } = given
      if (expected !== undefined && expected !== null) checkVersion(expected, 'expected')
      if (reason !== undefined) checkNote(reason, 'reason')
      if (evidence !== undefined) checkNote(evidence, 'evidence')
      const move = { name, alias, to: version, expected, reason, evidence, force }
      const change = await ask(name, given, (limits) => transport.moveAlias(move, limits))
      await takeMove(name, alias, version, given)
      const { from, to } = change
      logger.info({ prompt: name, alias, from, to, reason }, 'alias.moved')
      return change
    },
    async seed(given, limits = {}) {
      const own = given === undefined ? settings.defaults : readDefaults(given)
      const drafts = checkDrafts(await wholeDefaults(own))
      checkLimits(limits)
      closing.throwIfAborted()
      return seeder.seed(drafts, limits)
    },
    async capabilities(given = {}) {
      const can = await ask('', given, (limits) => transport.capabilities(limits))
      return { ...can, scope: createRunStorage() !== undefined }
    },
    async find(name, given = {}) {
      checkName(name)
      return ask(name, given, (limits) => transport.find(name, limits))
    },
    async list(page, given = {}) {
      checkPage(page)
      return ask('', given, (limits) => transport.list(page, limits))
    },
    async versions(name, page, given = {}) {
      checkName(name)
      checkPage(page)
      return ask(name, given, (limits) => transport.versions(name, page, limits))
    },
    async changes(name, page, given = {}) {
      checkName(name)
      checkPage(page)
      return ask(name, given, (limits) => transport.changes(name, page, limits))
    },
    get drifted() {
      return seeder.drifted
    },
  }
}

/** A default is seeded as it is served: with its parts, which are other defaults. */
async function wholeDefaults(
  drafts: ReadonlyMap<string, VersionDraft>,
): Promise<ReadonlyMap<string, VersionDraft>> {
  if (![...drafts.values()].some(({ template }) => hasIncludes(template))) return drafts
  return (await import('./includes.ts')).expandDefaults(drafts)
}

function commandFor(direction: 'push' | 'pull', folder: string, alias: string, address: string): string {
  const where = address === DEFAULT_TRACKING_URI ? '' : ` --tracking-uri ${address}`
  return `npx promptkeep ${direction} ${folder}${direction === 'push' ? ` --alias ${alias}` : ''}${where}`
}
