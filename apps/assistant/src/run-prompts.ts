import type { Lineage, Prompt, PromptSet } from '@promptkeep/client'
import { fingerprintOf } from '@promptkeep/client/protocol'
import { PROMPT_NAMES, type PromptName } from './prompt-map.ts'

/** What a stored answer or an eval case keeps about its prompts. */
export interface RunLineage {
  readonly prompts: Readonly<Partial<Record<PromptName, Lineage>>>
  /** Over the prompts above and nothing else, so that it can be checked from the stored rows alone. */
  readonly fingerprint: string
}

/**
 * The eleven prompts of one run: resolved together, pinned until the run ends, whatever an alias does meanwhile.
 * A prompt is *used* once its text went into a request to the model; only used prompts are lineage.
 */
export interface RunPrompts {
  get(name: PromptName): Prompt
  /** Called as the request leaves, not when an agent is built: a specialist nobody asks leaves no trace. */
  markUsed(names: readonly PromptName[]): void
  /** Used so far, in the order of `PROMPT_NAMES`. */
  used(): Readonly<Partial<Record<PromptName, Lineage>>>
  /** `used()` with its fingerprint. The fingerprint over all eleven is `resolved.fingerprint`. */
  lineage(): Promise<RunLineage>
  /** All eleven as they were resolved. */
  readonly resolved: PromptSet
}

export function createRunPrompts(resolved: PromptSet): RunPrompts {
  const marked = new Set<string>()
  const used = (): Partial<Record<PromptName, Lineage>> =>
    Object.fromEntries(
      PROMPT_NAMES.flatMap((name) => {
        const lineage = resolved.versions[name]
        return marked.has(name) && lineage ? [[name, lineage]] : []
      }),
    )
  return {
    resolved,
    get: (name) => resolved.get(name),
    markUsed(names) {
      for (const name of names) marked.add(name)
    },
    used,
    async lineage() {
      const prompts = used()
      const triples = Object.entries(prompts).map(([name, { version, digest }]) => ({
        name,
        version,
        digest,
      }))
      return { prompts, fingerprint: await fingerprintOf(triples) }
    },
  }
}
