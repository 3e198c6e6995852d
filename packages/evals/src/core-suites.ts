import { readdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { EvalFailure, messageOf } from './errors.ts'
import { type EvalOptions, type LoadedSuite, loadSuite } from './load-suite.ts'
import { needsJudge } from './scorers/define-scorer.ts'
import { isSuiteFile } from './suite-files.ts'

export interface CoreSuitesQuery {
  /** Folder of manifests. */
  readonly folder: string
  /** Suites by name or by path, instead of those with `core: true`. */
  readonly named?: readonly string[] | undefined
  /** Models that they are run with; `judgeModel` where one of them asks a judge. */
  readonly models?: Pick<EvalOptions, 'model' | 'judgeModel'> | undefined
  /** Working folder: what paths start at, and what messages show them from. */
  readonly cwd: string
}

/**
 * The suites that every candidate is judged by, read and checked.
 * @returns Those of the folder with `core: true`, by name of their file; or those that are named, in that order.
 * @throws {EvalFailure} `CONFIGURATION` with everything that is wrong in any of their files, or when there is none
 */
export async function loadCoreSuites(
  { folder, named = [], models = {}, cwd }: CoreSuitesQuery,
  deps: { readonly fetch: typeof globalThis.fetch },
): Promise<LoadedSuite[]> {
  const load = loaderFrom(cwd, deps, models)
  if (named.length > 0 && named.every(isSuiteFile)) return judgeable(await all(named.map(load)))
  const loaded = await loadSuites({ folder, models, cwd }, deps)
  if (named.length === 0) {
    const core = loaded.filter(({ suite }) => suite.core)
    if (core.length > 0) return judgeable(core)
    throw new EvalFailure(
      'CONFIGURATION',
      `no suite of the folder ${folder} has core: true; mark some, or name them with --suite`,
    )
  }
  const found = await all(
    named.map(async (name) => {
      if (isSuiteFile(name)) return load(name)
      const found = loaded.find(({ suite }) => suite.name === name)
      if (found) return found
      const known = loaded.map(({ suite }) => suite.name).join(', ')
      throw new EvalFailure('CONFIGURATION', `there is no suite ${name} in ${folder}: it has ${known}`)
    }),
  )
  return judgeable(found)
}

/** Said before the first suite runs: the last one may be the one that asks a judge. */
function judgeable(suites: LoadedSuite[]): LoadedSuite[] {
  const judged = suites.filter(({ suite, options }) => needsJudge(suite) && options.judgeModel === undefined)
  if (judged.length === 0) return suites
  const names = judged.map(({ suite }) => suite.name).join(', ')
  const ask = judged.length === 1 ? 'has a scorer that asks' : 'have scorers that ask'
  throw new EvalFailure(
    'CONFIGURATION',
    `${names} ${ask} a judge: name its model with --judge-model (judgeModel in code)`,
  )
}

/**
 * Every suite of a folder, core or not.
 * @throws {EvalFailure} `CONFIGURATION` with everything that is wrong in any of their files, or when there is none
 */
export async function loadSuites(
  { folder, models, cwd }: Pick<CoreSuitesQuery, 'folder' | 'models' | 'cwd'>,
  deps: { readonly fetch: typeof globalThis.fetch },
): Promise<LoadedSuite[]> {
  const files = (await filesOf(resolve(cwd, folder), folder)).map((file) => join(folder, file))
  return all(files.map(loaderFrom(cwd, deps, models)))
}

const loaderFrom =
  (cwd: string, deps: { readonly fetch: typeof globalThis.fetch }, models: CoreSuitesQuery['models'] = {}) =>
  (path: string): Promise<LoadedSuite> =>
    loadSuite({ ...models, suite: relative('', resolve(cwd, path)) }, deps)

async function filesOf(path: string, folder: string): Promise<string[]> {
  let names: string[]
  try {
    names = await readdir(path)
  } catch (error) {
    throw new EvalFailure(
      'CONFIGURATION',
      `the folder of suites ${folder} cannot be read: ${messageOf(error)}`,
    )
  }
  const files = names.filter(isSuiteFile).sort()
  if (files.length > 0) return files
  throw new EvalFailure('CONFIGURATION', `the folder ${folder} holds no suites (.yaml or .eval.ts files)`)
}

/** All problems at once: a slip in the last file should not show after the first was mended. */
async function all(loading: readonly Promise<LoadedSuite>[]): Promise<LoadedSuite[]> {
  const settled = await Promise.allSettled(loading)
  const problems = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  const strange = problems.find((problem) => !(problem instanceof EvalFailure))
  if (strange !== undefined) throw strange
  if (problems.length > 0)
    throw new EvalFailure('CONFIGURATION', [...new Set(problems.map(messageOf))].join('\n'))
  return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
}
