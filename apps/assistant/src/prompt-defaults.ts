import { fileURLToPath } from 'node:url'
import type { JsonObject, ModelConfig, Template } from '@promptkeep/client'
import { readPromptFolder } from '@promptkeep/client/files'
import { InvalidInput } from '@promptkeep/client/protocol'
import { PROMPT_NAMES, type PromptName } from './prompt-map.ts'

/** The folder that people edit; the same place from `src` and from `dist`. */
export const PROMPTS_FOLDER = fileURLToPath(new URL('../prompts/', import.meta.url))

export interface PromptDefault {
  readonly template: Template
  readonly description?: string
  readonly modelConfig?: ModelConfig
  readonly responseFormat?: JsonObject
  readonly tags?: Readonly<Record<string, string>>
}

export type PromptDefaults = Readonly<Record<PromptName, PromptDefault>>

/**
 * The bundled texts: what a registry is seeded with, and the last fallback when none answers.
 * @throws {InvalidInput} for a file that is missing, empty, not ours, or not a prompt file.
 */
export async function readPromptDefaults(folder = PROMPTS_FOLDER): Promise<PromptDefaults> {
  const files = await readPromptFolder(folder)
  const found = files.map(({ name }) => name)
  const missing = PROMPT_NAMES.filter((name) => !found.includes(name))
  const unknown = found.filter((name) => !PROMPT_NAMES.some((known) => known === name))
  if (missing.length + unknown.length > 0) {
    const parts = [
      ...missing.map((name) => `${name}.md is missing`),
      ...unknown.map((name) => `${name}.md belongs to no agent`),
    ]
    throw new InvalidInput(`${folder}: ${parts.join('; ')}. The prompts are ${PROMPT_NAMES.join(', ')}`)
  }
  const defaults = files.map(({ name, path: _path, variables: _variables, ...prompt }) => [name, prompt])
  return Object.freeze(Object.fromEntries(defaults))
}

/** Read once, when the module is: prompts are part of the program, as its code is. A broken file fails the import. */
export const PROMPT_DEFAULTS = await readPromptDefaults()
