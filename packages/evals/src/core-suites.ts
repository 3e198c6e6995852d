import { readdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { EvalFailure, messageOf } from './errors.ts'
import { type LoadedSuite, loadSuite } from './load-suite.ts'

export interface CoreSuitesQuery {
  /** Folder of manifests. */
  readonly folder: string
  /** Suites by name or by path, instead of those with `core: true`. */
  readonly named?: readonly string[] | undefined
  /** Working folder: what paths start at, and what messages show them from. */
  readonly cwd: string
}

const MANIFEST = /\.ya?ml$/

/**
 * The suites that every candidate is judged by, read and checked.
 * @returns Those of the folder with `core: true`, by name of their file; or those that are named, in that order.
 * @throws {EvalFailure} `CONFIGURATION` with everything that is wrong in any of their files, or when there is none
 */
export async function loadCoreSuites(
  { folder, named = [], cwd }: CoreSuitesQuery,
  deps: { readonly fetch: typeof globalThis.fetch },
): Promise<LoadedSuite[]> {
  const load = loaderFrom(cwd, deps)
  if (named.length > 0 && named.every(isPath)) return all(named.map(load))
  const loaded = await loadSuites({ folder, cwd }, deps)
  if (named.length === 0) {
    const core = loaded.filter(({ suite }) => suite.core)
    if (core.length > 0) return core
    throw new EvalFailure(
      'CONFIGURATION',
      `no suite of the folder ${folder} has core: true; mark some, or name them with --suite`,
    )
  }
  return all(
    named.map(async (name) => {
      if (isPath(name)) return load(name)
      const found = loaded.find(({ suite }) => suite.name === name)
      if (found) return found
      const known = loaded.map(({ suite }) => suite.name).join(', ')
      throw new EvalFailure('CONFIGURATION', `there is no suite ${name} in ${folder}: it has ${known}`)
    }),
  )
}

/**
 * Every suite of a folder, core or not.
 * @throws {EvalFailure} `CONFIGURATION` with everything that is wrong in any of their files, or when there is none
 */
export async function loadSuites(
  { folder, cwd }: Pick<CoreSuitesQuery, 'folder' | 'cwd'>,
  deps: { readonly fetch: typeof globalThis.fetch },
): Promise<LoadedSuite[]> {
  const files = (await filesOf(resolve(cwd, folder), folder)).map((file) => join(folder, file))
  return all(files.map(loaderFrom(cwd, deps)))
}

const loaderFrom =
  (cwd: string, deps: { readonly fetch: typeof globalThis.fetch }) =>
  (path: string): Promise<LoadedSuite> =>
    loadSuite({ suite: relative('', resolve(cwd, path)) }, deps)

const isPath = (name: string): boolean => MANIFEST.test(name)

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
  const files = names.filter((name) => MANIFEST.test(name)).sort()
  if (files.length > 0) return files
  throw new EvalFailure('CONFIGURATION', `the folder ${folder} holds no suites (.yaml files)`)
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
