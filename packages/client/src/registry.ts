import { createBreaker } from './breaker.ts'
import { forMany, withDeadline } from './deadline.ts'
import { digestOf } from './digest.ts'
import { InvalidInput, isAbsence, isRegistryError, RegistryError } from './errors.ts'
import { createLoader } from './loader.ts'
import { createMlflowTransport } from './mlflow.ts'
import type { LoadOptions, RegistryOptions } from './options.ts'
import { makeBody, makePrompt, type Prompt, type PromptSet } from './prompt.ts'
import { makePromptSet } from './prompt-set.ts'
import { createPromptValues } from './prompt-values.ts'
import { checkLimits, checkPage, type Query, readQuery } from './query.ts'
import type { Key } from './question.ts'
import { checkObject, refuse } from './refuse.ts'
import type { Registry } from './registry-api.ts'
import { createReporter } from './reporter.ts'
import { createSeeder } from './seeder.ts'
import { DEFAULT_TRACKING_URI, readDefaults, readSettings } from './settings.ts'
import { createTimers } from './timers.ts'
import type { RequestOptions } from './transport.ts'
import { checkAlias, checkDraft, checkName, checkNote, checkVersion } from './validate.ts'

interface Question extends Query {
  readonly keys: readonly Key[]
}

/** @throws {InvalidInput} for a bad option, before any request */
export function createRegistry(options: RegistryOptions = {}): Registry {
  const settings = readSettings(options)
  const { chain, ttlMs, strict, logger, now, maxEntries, defaults } = settings
  const random = Math.random
  const transport =
    options.transport ?? createMlflowTransport({ trackingUri: settings.trackingUri, env: settings.env })
  const closing = new AbortController()
  const timers = createTimers()
  const breaker = createBreaker(now)
  const toPrompt = createPromptValues(now)
  const reporter = createReporter({ logger, now })
  const plain = new Map<string, Question>()
  // Whatever was asked: an answer ends an outage for the loads, too.
  const answered = (name?: string) => reporter.answered(name, breaker.answered())
  const shared = {
    transport,
    now,
    random,
    timers,
    closing: forMany(closing.signal),
    onTrouble: reporter.trouble,
  }
  const loader = createLoader({
    ...shared,
    ttlMs,
    timeoutMs: settings.timeoutMs,
    strict,
    maxEntries,
    breaker,
    onAnswer: answered,
  })
  // `latest` cannot be pointed anywhere.
  const seedAlias = chain.findLast((alias) => alias !== 'latest') ?? 'production'
  const seeder = createSeeder({
    ...shared,
    alias: seedAlias,
    logger,
    command: (direction) => commandFor(direction, settings.promptsFolder, seedAlias, transport.address),
    onSeeded: (name, version) => loader.written(name, { alias: seedAlias }, { version }),
    onAnswer: answered,
  })

  /** A checked question, with the places of its answers. */
  function read(reference: unknown, given: LoadOptions): Question {
    const query = readQuery(reference, given, settings)
    return { ...query, keys: loader.keysOf(query.name, query.wanted) }
  }

  /** Read once: an app asks a few questions very often. */
  function readPlain(reference: string): Question {
    const known = plain.get(reference)
    if (known) return known
    const question = read(reference, {})
    if (plain.size >= maxEntries) plain.clear()
    plain.set(reference, question)
    return question
  }

  async function resolve(query: Question): Promise<Prompt | undefined> {
    const { name, wanted, signal, logFields } = query
    try {
      const found = await loader.find(query.keys, query)
      const { source, cause } = found
      if (cause) reporter.fellBack({ name, wanted, source, cause, logFields })
      return toPrompt(found)
    } catch (cause) {
      if (signal?.aborted || closing.signal.aborted) throw cause
      if (query.allowMissing) {
        if (isAbsence(cause)) return undefined
        throw cause
      }
      const draft = strict ? undefined : defaults.get(name)
      if (!draft) throw cause
      reporter.fellBack({ name, wanted, source: 'default', cause, logFields })
      const { tags = {}, ...content } = draft
      return makePrompt(makeBody({ ...content, tags, version: 0, digest: await digestOf(draft) }), {
        source: 'default',
        now,
      })
    }
  }

  function checkOpen(): void {
    if (closing.signal.aborted) throw closing.signal.reason
  }

  /** Requests other than loads: checked, ended by `close`, and noted for readiness. */
  async function ask<T>(
    name: string,
    given: RequestOptions,
    work: (limits: RequestOptions) => Promise<T>,
  ): Promise<T> {
    checkLimits(given)
    checkOpen()
    const timeoutMs = given.timeoutMs ?? REQUEST_TIMEOUT_MS
    const signal = given.signal ? AbortSignal.any([given.signal, closing.signal]) : closing.signal
    try {
      const answer = await withDeadline({ signal, timeoutMs }, transport.address, (signal) =>
        work({ signal, timeoutMs }),
      )
      answered(name)
      return answer
    } catch (error) {
      if (isRegistryError(error) && !signal.aborted) reporter.trouble(error)
      throw error
    }
  }

  async function load(reference: string, given?: LoadOptions): Promise<Prompt | undefined> {
    const query = given === undefined ? readPlain(reference) : read(reference, given)
    checkOpen()
    const cached = given === undefined ? loader.fresh(query.keys) : undefined
    const prompt = cached ? toPrompt(cached) : await resolve(query)
    if (prompt) reporter.loaded(prompt, query.logFields)
    return prompt
  }

  async function loadSet(references: readonly string[], given: LoadOptions = {}): Promise<PromptSet> {
    if (!Array.isArray(references)) refuse('names', references, 'a list of prompt names')
    const queries = references.map((reference) => read(reference, given))
    // One derived signal for all: a set of more than ten would look like a leak on the caller's own.
    const signal = given.signal && forMany(AbortSignal.any([given.signal]))
    checkOpen()
    const byName = new Map(queries.map((query) => [query.name, query]))
    if (byName.size < queries.length) throw new InvalidInput('names: each prompt may be in a set once')
    const prompts = await Promise.all(
      queries.map((query) => resolve({ ...query, signal, allowMissing: false }) as Promise<Prompt>),
    )
    const set = await makePromptSet(prompts)
    reporter.resolved(set, queries[0]?.logFields ?? {})
    return set
  }

  return {
    ...({} as Pick<Registry, 'follow' | 'run' | 'lineage'>),
    load: load as Registry['load'],
    loadSet,
    async register(draft, given = {}) {
      const checked = checkDraft(draft)
      const version = await ask(checked.name, given, (limits) => transport.register(checked, limits))
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
      await loader.aliasMoved(name, alias, version, { signal: given.signal, timeoutMs: given.timeoutMs })
      const { from, to } = change
      logger.info({ prompt: name, alias, from, to, reason }, 'alias.moved')
      return change
    },
    async seed(given, limits = {}) {
      const drafts = given === undefined ? defaults : readDefaults(given)
      checkLimits(limits)
      checkOpen()
      return seeder.seed(drafts, limits)
    },
    capabilities: (given = {}) => ask('', given, (limits) => transport.capabilities(limits)),
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
    status: () => ({ ...reporter.status(), drifted: seeder.drifted }),
    async close() {
      closing.abort(new RegistryError('UNAVAILABLE', 'this registry was closed'))
      timers.clear()
    },
  }
}

/** Requests that a person or a script waits for; a load has its own, shorter limit. */
const REQUEST_TIMEOUT_MS = 10_000

function commandFor(direction: 'push' | 'pull', folder: string, alias: string, address: string): string {
  const where = address === DEFAULT_TRACKING_URI ? '' : ` --tracking-uri ${address}`
  return `npx promptkeep ${direction} ${folder}${direction === 'push' ? ` --alias ${alias}` : ''}${where}`
}
