import type { Target, TargetSetup } from '../target.ts'
import { createHttpTarget } from './http-target.ts'
import { loadModuleTarget } from './module-target.ts'

/** A target that a suite named: found and well-formed, not yet started. */
export interface LoadedTarget {
  open(setup: TargetSetup): Promise<Target>
}

/**
 * Finds what a suite's `target` names: `http(s)://…`, or `file.ts#name` relative to the suite's file.
 * A module is imported here, so that a typo shows before anything runs; an address is not asked.
 * @throws {EvalFailure} `CONFIGURATION`
 */
export async function loadTarget(
  spec: string,
  suitePath: string,
  { fetch }: { readonly fetch: typeof globalThis.fetch },
): Promise<LoadedTarget> {
  if (!/^https?:\/\//i.test(spec)) return loadModuleTarget(spec, suitePath)
  const target = createHttpTarget(spec, { fetch })
  return { open: async () => target }
}
