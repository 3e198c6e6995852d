import { fingerprintOf } from './digest.ts'
import { InvalidInput } from './errors.ts'
import type { Lineage, Prompt, PromptSet } from './prompt.ts'

/** Pins prompts that were resolved together: a later swap is not seen by the set. */
export async function makePromptSet(prompts: readonly Prompt[]): Promise<PromptSet> {
  const byName = new Map(prompts.map((prompt) => [prompt.name, prompt]))
  const lineage = prompts.map(({ name, version, alias, digest, source, ageMs }): [string, Lineage] => [
    name,
    Object.freeze({ version, ...(alias !== undefined && { alias }), digest, source, ageMs }),
  ])
  return Object.freeze({
    names: Object.freeze([...byName.keys()]),
    get(name: string) {
      const prompt = byName.get(name)
      if (prompt) return prompt
      throw new InvalidInput(
        `"${name}" is not in this set; it holds ${[...byName.keys()].join(', ') || 'nothing'}`,
      )
    },
    fingerprint: await fingerprintOf(prompts),
    versions: Object.freeze(Object.fromEntries(lineage)),
  })
}
