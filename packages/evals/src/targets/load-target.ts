import { endpointOf } from '../openai-endpoint.ts'
import type { Suite } from '../suite.ts'
import type { Target, TargetSetup } from '../target.ts'
import { createHttpTarget } from './http-target.ts'
import { loadModuleTarget } from './module-target.ts'
import { createPromptTarget } from './prompt-target.ts'
import { openRunRegistry } from './run-registry.ts'

/** A target that a suite named: found and well-formed, not yet started. */
export interface LoadedTarget {
  open(setup: TargetSetup): Promise<Target>
}

/**
 * Finds what a suite's `target` names: `http(s)://…`, `file.ts#name` relative to the suite's file, or a prompt.
 * A module is imported here, so that a typo shows before anything runs; an address is not asked.
 * @throws {EvalFailure} `CONFIGURATION`
 */
export async function loadTarget(
  { target: spec, promptTarget, path }: Pick<Suite, 'target' | 'promptTarget' | 'path'>,
  { fetch }: { readonly fetch: typeof globalThis.fetch },
): Promise<LoadedTarget> {
  if (promptTarget)
    return {
      open: async (setup) => {
        const endpoint = endpointOf(setup.env, `the target ${spec}`)
        const registry = openRunRegistry(setup)
        return createPromptTarget(promptTarget, { registry, endpoint, env: setup.env, fetch })
      },
    }
  if (!/^https?:\/\//i.test(spec)) return loadModuleTarget(spec, path)
  const target = createHttpTarget(spec, { fetch })
  return { open: async () => target }
}
