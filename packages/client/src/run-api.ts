import type { LoadOptions } from './options.ts'
import type { Lineage, Prompt, PromptSet } from './prompt.ts'

export interface RunOptions {
  /** Resolved before `work` begins, under one deadline. Names may be references. Default: none. */
  readonly prompts?: readonly string[] | undefined
  /** For every load of the run that says nothing else. */
  readonly alias?: string | readonly string[] | undefined
  /** Sticky key of rollouts (a user, a conversation), for every load of the run that says nothing else. */
  readonly key?: string | undefined
  /** One deadline in milliseconds for `prompts`. Default: the registry's. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** One run of an agent: what it loads is pinned. */
export interface Run {
  /** As the registry's; the first answer to a reference and alias stays until the run ends. */
  load(name: string, options: LoadOptions & { readonly allowMissing: true }): Promise<Prompt | undefined>
  load(name: string, options?: LoadOptions): Promise<Prompt>
  /** What was used so far, by prompt. */
  lineage(): Readonly<Record<string, Lineage>>
  /** What was used so far, as a set with its fingerprint. */
  set(): Promise<PromptSet>
}
