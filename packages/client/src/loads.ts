import { forMany } from './deadline.ts'
import { InvalidInput, isAbsence } from './errors.ts'
import { lazy } from './lazy.ts'
import type { Fresh, Loader } from './loader-port.ts'
import { silent } from './log.ts'
import type { LoadOptions } from './options.ts'
import { makePrompt, type Prompt, type PromptSet } from './prompt.ts'
import { createPromptValues } from './prompt-values.ts'
import { type Question, readQuery } from './query.ts'
import { checkObject, refuse } from './refuse.ts'
import type { Registry } from './registry-api.ts'
import type { Reporter } from './reporter.ts'
import type { RunStorage } from './run.ts'
import type { Run, RunOptions } from './run-api.ts'
import type { Settings } from './settings.ts'
import type { VersionDraft } from './transport.ts'

/** A cached answer as it was given last: the same promise again, until it may be another. */
interface Hot extends Fresh {
  readonly prompt: Prompt
  readonly promise: Promise<Prompt>
}

export interface LoadsDeps {
  readonly settings: Settings
  readonly loader: Loader
  readonly reporter: Reporter
  /** Aborted when the registry is closed. */
  readonly closing: AbortSignal
}

/** Loads, alone, in sets and in runs: what the loader finds, else the bundled default. */
export function createLoads({ settings, loader, reporter, closing }: LoadsDeps) {
  const { strict, logger, now, maxEntries, defaults, telemetry } = settings
  const { state } = loader
  const toPrompt = createPromptValues(now)
  const plain = new Map<string, Question>()
  const hots = new Map<string, Hot>()
  const bundled = new Map<VersionDraft, Promise<Prompt>>()
  const bundling = lazy(() => import('./bundled.ts'))
  if (defaults.size > 0 && !strict) void bundling() // read at once, as all that an outage needs
  const isHeard = logger !== silent || telemetry !== undefined
  let runs: RunStorage | undefined

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

  function tell(prompt: Prompt | undefined, { logFields }: Pick<Question, 'logFields'>): void {
    if (!prompt || !isHeard) return // a cached load is too quick to describe it for nobody
    try {
      reporter.loaded(prompt, logFields)
      telemetry?.used(prompt)
    } catch {
      // Who listens must not take the prompt from who asked for it.
    }
  }

  /** From the cache without making even a promise; everything else is `loadAnew`'s. */
  function load(reference: string, given?: LoadOptions): Promise<Prompt | undefined> {
    if (given === undefined && runs?.getStore() === undefined) {
      const hot = hots.get(reference)
      if (hot !== undefined && hot.epoch === state.epoch) {
        const at = now()
        if (at >= hot.from && at < hot.until) {
          for (const slot of hot.slots) slot.usedAt = at
          if (isHeard) tell(hot.prompt, NO_FIELDS)
          return hot.promise
        }
      }
    }
    return loadAnew(reference, given)
  }

  async function loadAnew(reference: string, given: LoadOptions | undefined): Promise<Prompt | undefined> {
    const run = runs?.getStore()
    if (run) return run.load(reference, given)
    if (given !== undefined) return resolve(read(reference, given))
    const question = readPlain(reference)
    const cached = fromCache(reference, question)
    if (!cached) return resolve(question)
    tell(cached, question)
    return cached
  }

  function fromCache(reference: string, { keys }: Question): Prompt | undefined {
    closing.throwIfAborted()
    const fresh = loader.fresh(keys)
    if (!fresh || fresh.found.cause !== undefined) return undefined
    const prompt = toPrompt(fresh.found)
    if (hots.size >= maxEntries) hots.clear()
    hots.set(reference, { ...fresh, prompt, promise: Promise.resolve(prompt) })
    return prompt
  }

  async function resolve(question: Question): Promise<Prompt | undefined> {
    const prompt = await traced(question)
    tell(prompt, question)
    return prompt
  }

  async function traced(question: Question): Promise<Prompt | undefined> {
    closing.throwIfAborted()
    if (!telemetry || loader.fresh(question.keys)) return answer(question)
    const { name, wanted } = question
    const part = 'version' in wanted ? wanted : { alias: wanted.chain.join(',') }
    return telemetry.cold({ name, ...part }, () => answer(question))
  }

  async function answer(question: Question): Promise<Prompt | undefined> {
    const { name, wanted, signal, logFields } = question
    try {
      const hasDefault = !strict && defaults.has(name)
      const found = await loader.find(question.keys, { ...question, hasDefault })
      const { source, cause } = found
      if (cause) reporter.fellBack({ name, wanted, source, cause, logFields })
      return toPrompt(found)
    } catch (cause) {
      if (signal?.aborted || closing.aborted) throw cause
      if (question.allowMissing) {
        if (isAbsence(cause)) return undefined
        throw cause
      }
      const draft = strict ? undefined : defaults.get(name)
      if (!draft) throw cause
      reporter.fellBack({ name, wanted, source: 'default', cause, logFields })
      return fromBundle(draft)
    }
  }

  /** Made once: in an outage it is asked for often. */
  function fromBundle(draft: VersionDraft): Promise<Prompt> {
    async function make(): Promise<Prompt> {
      const { makeBundled } = await bundling()
      const body = await makeBundled(draft.name, defaults)
      return makePrompt(body, { source: 'default', now })
    }
    const prompt = bundled.get(draft) ?? make()
    bundled.set(draft, prompt)
    return prompt
  }

  async function loadSet(references: readonly string[], given: LoadOptions = {}): Promise<PromptSet> {
    if (!Array.isArray(references)) refuse('names', references, 'a list of prompt names')
    checkObject(given, 'options')
    const questions = references.map((reference) => read(reference, given))
    const names = new Set(questions.map(({ name }) => name))
    if (names.size < questions.length) throw new InvalidInput('names: each prompt may be in a set once')
    const { makePromptSet, usedNow } = await import('./prompt-set.ts')
    // One derived signal for all: a set of more than ten would look like a leak on the caller's own.
    const signal = given.signal && forMany(AbortSignal.any([given.signal]))
    const run = runs?.getStore()
    const prompts = await Promise.all(
      questions.map(async (question, i) => {
        const prompt = (await (run
          ? run.load(references[i] as string, { ...given, signal })
          : traced({ ...question, signal, allowMissing: false }))) as Prompt
        if (!run) telemetry?.used(prompt)
        return [question.name, usedNow(prompt)] as const
      }),
    )
    const set = await makePromptSet(new Map(prompts))
    reporter.resolved(set, given.logFields ?? {})
    return set
  }

  async function run<T>(work: (run: Run) => T | Promise<T>, given?: RunOptions): Promise<T> {
    const { createRunStorage, startRun } = await import('./run.ts')
    closing.throwIfAborted()
    runs ??= createRunStorage()
    return startRun({ read, resolve: traced, tell, storage: runs }, work, given)
  }

  return {
    load: load as Registry['load'],
    loadSet,
    run,
    lineage: () => runs?.getStore()?.lineage(),
    /** Nothing is answered from the cache any more. */
    end: () => hots.clear(),
  }
}

const NO_FIELDS = { logFields: {} }
