import type { Prompt } from './prompt.ts'

/** Hears of loads, for traces. `@promptkeep/client/opentelemetry` has one. It must not throw. */
export interface Telemetry {
  /** A load answered, from wherever: called where the caller's span is the current one. */
  used(prompt: Prompt): void
  /** Wraps a load that asks the registry, and nothing else. */
  cold<T extends Prompt | undefined>(
    about: { readonly name: string; readonly alias?: string; readonly version?: number },
    work: () => Promise<T>,
  ): Promise<T>
}
