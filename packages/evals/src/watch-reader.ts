import { hasCode, isOutage, type Registry } from '@promptkeep/client'
import { findHolders } from './aliases.ts'
import { EvalFailure, messageOf } from './errors.ts'
import type { JudgedVersion } from './evidence.ts'

/** What a watcher asks a registry. Both reject with an `EvalFailure`. */
export interface WatchReader {
  /** Prompts that have the alias. */
  holders(): Promise<ReadonlyMap<string, number>>
  /** What an alias of a prompt says; `undefined`: it, or the prompt, is not there. */
  read(name: string, alias: string): Promise<JudgedVersion | undefined>
}

export function createReader(registry: Pick<Registry, 'find' | 'list' | 'load'>, alias: string): WatchReader {
  return { holders, read }

  /** None is no mistake here: they come. */
  async function holders(): Promise<ReadonlyMap<string, number>> {
    try {
      return await findHolders(registry, [alias])
    } catch (error) {
      if (error instanceof EvalFailure && error.code === 'CONFIGURATION' && error.cause === undefined)
        return new Map()
      throw error
    }
  }

  async function read(name: string, which: string): Promise<JudgedVersion | undefined> {
    try {
      const { version, digest } = await registry.load(name, { alias: which })
      return { name, version, digest }
    } catch (error) {
      if (hasCode(error, 'ALIAS_NOT_FOUND', 'PROMPT_NOT_FOUND')) return undefined
      throw new EvalFailure(isOutage(error) ? 'INFRASTRUCTURE' : 'CONFIGURATION', messageOf(error), {
        cause: error,
      })
    }
  }
}
