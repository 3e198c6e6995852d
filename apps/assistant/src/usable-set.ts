import type { Logger, Prompt, PromptSet, RegistryStatus } from '@promptkeep/client'
import { digestOf, fingerprintOf, InvalidInput } from '@promptkeep/client/protocol'
import type { PromptDefault } from './prompt-defaults.ts'

/** Why a version was put aside, as readiness tells it. */
export type Unusable = NonNullable<RegistryStatus['lastFallback']>

/**
 * A version that no agent can use (a chat prompt, one with variables that nobody fills, or with logic) counts as
 * absent: one such text must not take every chat down.
 */
export interface UsableSets {
  /**
   * @returns The set with a bundled text, version 0, in place of each version that cannot be used.
   * @throws {InvalidInput} naming prompt, version and reason, when there is no bundled text to take its place.
   */
  from(
    set: PromptSet,
    run: { readonly correlationId: string; readonly isOverride: boolean },
  ): Promise<PromptSet>
  /** The last one that was put aside; those of an override are that request's own affair. */
  last(): Unusable | undefined
}

export function createUsableSets({
  defaults,
  log,
  now,
}: {
  readonly defaults: Readonly<Record<string, PromptDefault>> | undefined
  readonly log: Logger
  readonly now: () => number
}): UsableSets {
  /** The version of each prompt that was warned of. */
  const warned = new Map<string, number>()
  let last: Unusable | undefined

  return {
    async from(set, { correlationId, isOverride }) {
      const replaced = new Map<string, Prompt>()
      for (const name of set.names) {
        const prompt = set.get(name)
        const reason = reasonAgainst(prompt)
        if (reason === undefined) {
          if (!isOverride) warned.delete(name)
          continue
        }
        const bundled = defaults?.[name]
        if (!bundled) throw new InvalidInput(reason)
        replaced.set(name, await bundledPrompt(name, bundled))
        const { version, alias } = prompt
        const where = { prompt: name, ...(alias === undefined ? {} : { alias }) }
        if (warned.get(name) !== version) {
          log.warn({ ...where, version, source: 'default', reason, correlationId }, 'prompt.unusable')
        }
        if (isOverride) continue
        warned.set(name, version)
        last = { ...where, source: 'default', code: 'INVALID_INPUT', message: reason, at: now() }
      }
      return replaced.size === 0 ? set : withReplaced(set, replaced)
    },
    last: () => last,
  }
}

/** Names variables at most, never the text. */
function reasonAgainst(prompt: Prompt): string | undefined {
  const { name, version } = prompt
  try {
    if (typeof prompt.format() === 'string') return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return `prompt "${name}" version ${version} is a chat prompt; an agent's instructions need a text prompt`
}

async function bundledPrompt(
  name: string,
  { template, modelConfig, tags = {} }: PromptDefault,
): Promise<Prompt> {
  if (typeof template !== 'string') throw new InvalidInput(`The bundled text of ${name} is a chat prompt`)
  return Object.freeze({
    ...{ name, version: 0, template, tags, variables: [], ageMs: 0 },
    ...(modelConfig ? { modelConfig } : {}),
    digest: await digestOf({ template, modelConfig }),
    ...{ source: 'default', isFallback: true, format: () => template },
  } as const)
}

async function withReplaced(set: PromptSet, replaced: ReadonlyMap<string, Prompt>): Promise<PromptSet> {
  const prompts = set.names.map((name) => replaced.get(name) ?? set.get(name))
  const versions = Object.fromEntries(
    prompts.map(({ name, version, digest, source, ageMs }) => [
      name,
      replaced.has(name) ? { version, digest, source, ageMs } : set.versions[name],
    ]),
  ) as PromptSet['versions']
  return Object.freeze({
    names: set.names,
    get: (name: string) => replaced.get(name) ?? set.get(name),
    fingerprint: await fingerprintOf(prompts),
    versions: Object.freeze(versions),
  })
}
