import { PROMPT_NAME_MAP, type PromptConstant, type PromptName } from './prompt-map.ts'

/**
 * The old constants as functions: `MEMORY_SYSTEM_PROMPT()` loads what the registry says of `memory` now.
 * @param loadPrompt - Asked only when one is called.
 */
export function promptConstants(
  loadPrompt: (name: PromptName) => Promise<string>,
): Readonly<Record<PromptConstant, () => Promise<string>>> {
  const entries = Object.entries(PROMPT_NAME_MAP).map(([constant, name]) => [
    constant,
    () => loadPrompt(name),
  ])
  return Object.freeze(Object.fromEntries(entries))
}
