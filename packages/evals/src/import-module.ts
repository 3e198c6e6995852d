import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { register } from 'tsx/esm/api'
import { EvalFailure, messageOf } from './errors.ts'

/** What a suite named in a module: the export, and all others for messages. */
export interface NamedExport {
  readonly name: string
  readonly value: unknown
  readonly exports: Readonly<Record<string, unknown>>
}

/**
 * Imports `file.ts#name` with tsx, so that a suite can name TypeScript sources from a built command.
 * @param fromPath - The file that names it: its path starts there.
 * @param what - For messages: `target`, `scorer`.
 * @param usualName - The export that is meant when the spec names none.
 * @throws {EvalFailure} `CONFIGURATION`: no such file, or the module fails as it loads. A missing export is `undefined`.
 */
export async function importNamed(
  spec: string,
  { fromPath, what, usualName }: { fromPath: string; what: string; usualName: string },
): Promise<NamedExport> {
  const [file = '', name = usualName] = spec.split('#')
  const path = resolve(dirname(fromPath), file)
  if (!existsSync(path)) throw new EvalFailure('CONFIGURATION', `${what} ${spec}: there is no ${path}`)
  const exports = await importModule(path, `${what} ${spec}`)
  return { name, value: exports[name], exports }
}

/**
 * Lets this process import TypeScript from now on. A hook of the loader is the process's own and is set once: this
 * package's only module-level state. Not tsx's `tsImport`, which would give every module copies of all that it imports:
 * libraries that keep state for the process, as the agents' SDK does, then meet objects of another copy.
 */
const allowTypeScript = once(() => register())

async function importModule(path: string, named: string): Promise<Readonly<Record<string, unknown>>> {
  allowTypeScript()
  try {
    return await import(pathToFileURL(path).href)
  } catch (error) {
    const message = `${named} cannot be loaded: ${messageOf(error)}`
    throw new EvalFailure('CONFIGURATION', message, { cause: error })
  }
}

function once(work: () => unknown): () => void {
  let isDone = false
  return () => {
    if (!isDone) work()
    isDone = true
  }
}
