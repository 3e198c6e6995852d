import type { Lineage, PromptSet } from './prompt.ts'
import type {
  AliasChoice,
  AnyPrompts,
  Known,
  Loaded,
  LoadOptionsFor,
  PromptCatalog,
  PromptReference,
} from './typed.ts'

export interface RunOptions<Reference extends string = string, Alias = string | readonly string[]> {
  /** Resolved before `work` begins, under one deadline. Names may be references. Default: none. */
  readonly prompts?: readonly Reference[] | undefined
  /** For every load of the run that says nothing else. */
  readonly alias?: Alias | undefined
  /** Sticky key of rollouts (a user, a conversation), for every load of the run that says nothing else. */
  readonly key?: string | undefined
  /** One deadline in milliseconds for `prompts`. Default: the registry's. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** One run of an agent: what it loads is pinned. */
export interface Run<P extends PromptCatalog = AnyPrompts> {
  readonly '~prompts'?: Known<P>
  /** As the registry's; the first answer to a reference and alias stays until the run ends. */
  load<
    R extends PromptReference<P>,
    Version extends number | undefined = undefined,
    Missing extends boolean | undefined = undefined,
  >(
    reference: R,
    options?: LoadOptionsFor<AliasChoice<P, R>, Version, Missing>,
  ): Promise<Loaded<P, R, Version, Missing>>
  /** What was used so far, by prompt. */
  lineage(): Readonly<Record<string, Lineage>>
  /** What was used so far, as a set with its fingerprint. */
  set(): Promise<PromptSet>
}
