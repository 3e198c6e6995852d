import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { EvalFailure } from './errors.ts'

const EVAL_FILE = /\.eval\.m?[jt]s$/

/** A suite in TypeScript (`*.eval.ts`), and not a manifest. */
export const isEvalFile = (path: string): boolean => EVAL_FILE.test(path)

/** By its name: a manifest in YAML, or a suite in TypeScript. */
export const isSuiteFile = (path: string): boolean => /\.ya?ml$/.test(path) || isEvalFile(path)

/**
 * The files of suites: those that are named, and of a folder every `.yaml`, `.yml` and `.eval.ts` directly in it, by name.
 * @param paths - Files and folders, from `cwd`.
 * @returns Absolute paths.
 * @throws {EvalFailure} `CONFIGURATION`: there is no such file, or a folder holds no suites.
 */
export async function findSuiteFiles(paths: readonly string[], cwd: string): Promise<string[]> {
  const found: string[] = []
  for (const path of paths) {
    const full = resolve(cwd, path)
    const entry = await stat(full).catch(() => undefined)
    if (!entry) throw new EvalFailure('CONFIGURATION', `there is no suite ${path}`)
    if (!entry.isDirectory()) {
      found.push(full)
      continue
    }
    const names = (await readdir(full)).filter(isSuiteFile).sort()
    if (names.length === 0)
      throw new EvalFailure('CONFIGURATION', `the folder ${path} holds no suites (.yaml or .eval.ts files)`)
    found.push(...names.map((name) => join(full, name)))
  }
  return found
}
