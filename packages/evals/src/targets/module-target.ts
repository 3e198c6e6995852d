import { EvalFailure, messageOf } from '../errors.ts'
import { importNamed } from '../import-module.ts'
import type { Target, TargetExport, TargetSetup } from '../target.ts'
import type { LoadedTarget } from './load-target.ts'

/**
 * Imports `file.ts#name` with tsx, so that a suite can name TypeScript sources from a built command. The name is
 * that of an export, `target` when there is none.
 * @throws {EvalFailure} `CONFIGURATION`: no such file, no such export, or the module fails as it loads.
 */
export async function loadModuleTarget(spec: string, suitePath: string): Promise<LoadedTarget> {
  const named = await importNamed(spec, { fromPath: suitePath, what: 'target', usualName: 'target' })
  const { name, value: found, exports } = named
  if (!isTargetExport(found)) throw new EvalFailure('CONFIGURATION', noTarget(spec, name, exports))
  return { open: (setup) => openTarget(spec, found, setup) }
}

/** @throws {EvalFailure} `CONFIGURATION`: a function that fails, or makes something else. */
export async function openTarget(spec: string, found: TargetExport, setup: TargetSetup): Promise<Target> {
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

export const isTargetExport = (value: unknown): value is TargetExport =>
  typeof value === 'function' || isTarget(value)

function noTarget(spec: string, name: string, exports: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(exports)
    .filter((key) => isTargetExport(exports[key]))
    .sort()
  const there = names.length > 0 ? names.join(', ') : 'none that could be one'
  return `target ${spec}: no target is exported as ${name}; exported are ${there}`
}
