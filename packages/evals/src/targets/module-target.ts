import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { register } from 'tsx/esm/api'
import { EvalFailure, messageOf } from '../errors.ts'
import type { Target, TargetExport, TargetSetup } from '../target.ts'
import type { LoadedTarget } from './load-target.ts'

/**
 * Imports `file.ts#name` with tsx, so that a suite can name TypeScript sources from a built command. The name is
 * that of an export, `target` when there is none.
 * @throws {EvalFailure} `CONFIGURATION`: no such file, no such export, or the module fails as it loads.
 */
export async function loadModuleTarget(spec: string, suitePath: string): Promise<LoadedTarget> {
  const [file = '', name = 'target'] = spec.split('#')
  const path = resolve(dirname(suitePath), file)
  if (!existsSync(path)) throw new EvalFailure('CONFIGURATION', `target ${spec}: there is no ${path}`)
  const exports = await importModule(path, spec)
  const found = exports[name]
  if (!isTargetExport(found)) throw new EvalFailure('CONFIGURATION', noTarget(spec, name, exports))
  return { open: (setup) => openModule(spec, found, setup) }
}

/**
 * Lets this process import TypeScript from now on. A hook of the loader is the process's own and is set once: this
 * package's only module-level state. Not tsx's `tsImport`, which would give every target copies of all its modules:
 * libraries that keep state for the process, as the agents' SDK does, then meet objects of another copy.
 */
const allowTypeScript = once(() => register())

async function importModule(path: string, spec: string): Promise<Readonly<Record<string, unknown>>> {
  allowTypeScript()
  try {
    return await import(pathToFileURL(path).href)
  } catch (error) {
    const message = `target ${spec} cannot be loaded: ${messageOf(error)}`
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

async function openModule(spec: string, found: TargetExport, setup: TargetSetup): Promise<Target> {
  if (typeof found !== 'function') return found
  let made: unknown
  try {
    made = await found(setup)
  } catch (error) {
    const message = `target ${spec} cannot start: ${messageOf(error)}`
    throw new EvalFailure('CONFIGURATION', message, { cause: error })
  }
  if (isTarget(made)) return made
  throw new EvalFailure('CONFIGURATION', `target ${spec} made something without a run method`)
}

const isTarget = (value: unknown): value is Target =>
  typeof value === 'object' && value !== null && 'run' in value && typeof value.run === 'function'

const isTargetExport = (value: unknown): value is TargetExport =>
  typeof value === 'function' || isTarget(value)

function noTarget(spec: string, name: string, exports: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(exports)
    .filter((key) => isTargetExport(exports[key]))
    .sort()
  const there = names.length > 0 ? names.join(', ') : 'none that could be one'
  return `target ${spec}: no target is exported as ${name}; exported are ${there}`
}
