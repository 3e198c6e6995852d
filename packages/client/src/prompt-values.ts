import type { Found } from './loader-port.ts'
import { makePrompt, type Prompt, type PromptBody } from './prompt.ts'

/**
 * Makes the values that loads return. All who read one cached entry get the same one: it is frozen, and its age is
 * read when it is asked for.
 */
export function createPromptValues(now: () => number): (found: Found) => Prompt {
  const cached = new WeakMap<PromptBody, { readonly found: Found; readonly prompt: Prompt }>()
  return (found) => {
    const { body, source, alias, confirmedAt } = found
    const known = source === 'cache' ? cached.get(body) : undefined
    if (known && known.found.alias === alias && known.found.confirmedAt === confirmedAt) return known.prompt
    const prompt = makePrompt(body, { source, alias, confirmedAt, now })
    if (source === 'cache') cached.set(body, { found, prompt })
    return prompt
  }
}
