import { fingerprintOf } from './digest.ts'
import { InvalidInput } from './errors.ts'
import type { Lineage, Prompt, PromptSet } from './prompt.ts'

/** A prompt and what a run records of it: its age is that of the moment when it was resolved. */
export interface Used {
  readonly prompt: Prompt
  readonly lineage: Lineage
}

export function usedNow(prompt: Prompt): Used {
  const { version, alias, digest, source, ageMs } = prompt
  const lineage = { version, ...(alias !== undefined && { alias }), digest, source, ageMs }
  return { prompt, lineage: Object.freeze(lineage) }
}

/** What was used, by name. */
export const lineageOf = (used: ReadonlyMap<string, Used>): Readonly<Record<string, Lineage>> =>
  Object.freeze(Object.fromEntries([...used].map(([name, { lineage }]) => [name, lineage])))

/** Pins prompts that were resolved together: a later swap is not seen by the set. */
export async function makePromptSet(given: ReadonlyMap<string, Used>): Promise<PromptSet> {
  const used = new Map(given)
  const names = [...used.keys()]
  return Object.freeze({
    names: Object.freeze(names),
    get(name: string) {
      const one = used.get(name)
      if (one) return one.prompt
      throw new InvalidInput(`"${name}" is not in this set; it holds ${names.join(', ') || 'nothing'}`)
    },
    fingerprint: await fingerprintOf([...used.values()].map(({ prompt }) => prompt)),
    versions: lineageOf(used),
  })
}
