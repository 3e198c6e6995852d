import type { Logger, Prompt, PromptSet, RegistryStatus } from '@promptkeep/client'
import { digestOf, fingerprintOf, InvalidInput } from '@promptkeep/client/protocol'
import type { PromptDefault } from './prompt-defaults.ts'

/** Why a version was put aside, as readiness tells it. */
export type Unusable = NonNullable<RegistryStatus['lastFallback']>

export interface UsableRun {
  readonly correlationId: string
  readonly isOverride: boolean
  /** What the alias points at, where the set may hold the other versions of a rollout. */
  readonly pointedAt?: ((name: string) => Promise<Prompt>) | undefined
}

/**
 * A version that no agent can use (a chat prompt, one with variables that nobody fills, or with logic) counts as
 * absent: one such text must not take every chat down.
 */
export interface UsableSets {
  /**
   * @returns The set with another in place of each version that cannot be used: what the alias points at, where that is
   *   another one and can be used, else the bundled text, version 0.
   * @throws {InvalidInput} naming prompt, version and reason, when nothing can take its place.
   */
  from(set: PromptSet, run: UsableRun): Promise<PromptSet>
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
  /** Versions, by name and digest, that were warned of: of a rollout, good and bad ones take turns. */
  const warned = new Set<string>()
  let last: Unusable | undefined

  return {
    async from(set, { correlationId, isOverride, pointedAt }) {
      const replaced = new Map<string, Prompt>()
      for (const name of set.names) {
        const prompt = set.get(name)
        const reason = reasonAgainst(prompt)
        if (reason === undefined) continue
        const { version, alias, digest } = prompt
        const id = `${name} ${digest}`
        const other = await pointedAt?.(name)
        const isOtherUsable = other && other.version !== version && reasonAgainst(other) === undefined
        const instead = isOtherUsable ? other : await bundledPrompt(name, defaults?.[name], reason)
        replaced.set(name, instead)
        const where = { prompt: name, ...(alias === undefined ? {} : { alias }) }
        const { source } = instead
        if (!warned.has(id)) {
          const fields = { ...where, version, instead: instead.version, source, reason, correlationId }
          log.warn(fields, 'prompt.unusable')
        }
        if (isOverride) continue
        warned.add(id)
        last = { ...where, source, code: 'INVALID_INPUT', message: reason, at: now() }
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

/** @throws {InvalidInput} with the reason why one is needed, when there is none */
async function bundledPrompt(
  name: string,
  bundled: PromptDefault | undefined,
  reason: string,
): Promise<Prompt> {
  if (!bundled) throw new InvalidInput(reason)
  const { template, modelConfig, tags = {} } = bundled
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
    prompts.map(({ name, version, alias, digest, source, ageMs }) => [
      name,
      replaced.has(name)
        ? { version, ...(alias === undefined ? {} : { alias }), digest, source, ageMs }
        : set.versions[name],
    ]),
  ) as PromptSet['versions']
  return Object.freeze({
    names: set.names,
    get: (name: string) => replaced.get(name) ?? set.get(name),
    fingerprint: await fingerprintOf(prompts),
    versions: Object.freeze(versions),
  })
}
