import { forMany } from './deadline.ts'
import type { LoadOptions } from './options.ts'
import { builtinModule } from './platform.ts'
import type { Prompt } from './prompt.ts'
import { lineageOf, makePromptSet, type Used, usedNow } from './prompt-set.ts'
import type { Question } from './query.ts'
import { checkObject, refuse } from './refuse.ts'
import type { Run, RunOptions } from './run-api.ts'

/** Where the current run is kept: an `AsyncLocalStorage`. */
export interface RunStorage {
  run<T>(run: Run, work: () => T): T
  getStore(): Run | undefined
}

/** `undefined` where the platform has none. */
export function createRunStorage(): RunStorage | undefined {
  const { AsyncLocalStorage } = (builtinModule('node:async_hooks') ?? globalThis) as {
    AsyncLocalStorage?: new () => RunStorage
  }
  return AsyncLocalStorage && new AsyncLocalStorage()
}

export interface RunDeps {
  /** @throws {InvalidInput} */
  read(reference: string, given: LoadOptions): Question
  resolve(question: Question): Promise<Prompt | undefined>
  /** Of each load, also of what is pinned already. */
  tell(prompt: Prompt, question: Question): void
}

/** A run inside a run joins it. @throws {InvalidInput} */
export async function startRun<T>(
  deps: RunDeps & { readonly storage: RunStorage | undefined },
  work: (run: Run) => T | Promise<T>,
  given: RunOptions = {},
): Promise<T> {
  const { storage } = deps
  if (typeof work !== 'function') refuse('work', work, 'a function (run)')
  checkObject(given, 'options')
  const { prompts = [], timeoutMs, signal } = given
  if (!Array.isArray(prompts)) refuse('prompts', prompts, 'a list of prompt names')
  const joined = storage?.getStore()
  const run = joined ?? createRun(deps, given)
  // One derived signal for all: many prompts would look like a leak on the caller's own.
  const forAll = signal && forMany(AbortSignal.any([signal]))
  await Promise.all(prompts.map((reference) => run.load(reference, { timeoutMs, signal: forAll })))
  return joined || !storage ? work(run) : storage.run(run, () => work(run))
}

/** A run whose prompts are resolved once each: a set that grows while it is used. */
function createRun({ read, resolve, tell }: RunDeps, { alias, key }: RunOptions): Run {
  /** By question. A failure is not kept: the next load of it tries again. */
  const pins = new Map<string, Promise<Prompt | undefined>>()
  /** In order of first use. */
  const used = new Map<string, Used>()

  /** Another version of a prompt that is in use already is named with what it was asked for by; none is left out. */
  function use({ name, wanted }: Question, prompt: Prompt): void {
    const { version, digest, alias } = prompt
    const isNumber = 'version' in wanted
    const names = [name, isNumber ? `${name}/${version}` : `${name}@${alias}`, `${name}@${alias}/${version}`]
    for (const id of [...names, `${name}/${version} ${digest}`]) {
      const known = used.get(id)?.prompt
      if (known && (known.version !== version || known.digest !== digest)) continue
      if (!known) used.set(id, usedNow(prompt))
      return
    }
  }

  async function load(reference: string, given: LoadOptions = {}): Promise<Prompt | undefined> {
    checkObject(given, 'options')
    const saysWhich =
      given.alias !== undefined || given.version !== undefined || /[@/]/.test(String(reference))
    const question = read(reference, { ...(!saysWhich && { alias }), key, ...given })
    const id = JSON.stringify([question.key ?? null, ...question.keys.map(({ text }) => text)])
    let pin = pins.get(id)
    if (!pin) {
      pin = resolve(question)
      pins.set(id, pin)
      pin.catch(() => pins.delete(id))
    }
    const prompt = await pin
    if (!prompt) return undefined
    use(question, prompt)
    tell(prompt, question)
    return prompt
  }

  return {
    load: load as Run['load'],
    lineage: () => lineageOf(used),
    set: () => makePromptSet(used),
  }
}
