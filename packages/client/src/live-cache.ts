import type { PromptVersion } from './prompt.ts'

/** What a registry keeps of one alias that its app loads. */
export interface KnownAlias {
  readonly name: string
  readonly alias: string
  /** Absent while nothing but "no such alias" is known. */
  readonly version?: number
  readonly digest?: string
  /** Milliseconds since the epoch. */
  readonly usedAt: number
  readonly confirmedAt: number
}

/**
 * What a follower does to the cache: the loader implements it. Each call supersedes requests that are under way for the
 * same thing, so that a late answer never undoes it. Nothing here waits or throws.
 */
export interface LiveCache {
  /** Every alias that was loaded and is still kept (`latest` among them). */
  aliases(): readonly KnownAlias[]
  /** The alias says this version now. Kept only where the app loaded that alias before, or is loading it. */
  said(name: string, alias: string, version: PromptVersion): void
  /** The prompt has no such alias any more. */
  removed(name: string, alias: string): void
  /**
   * It is no longer as it is kept, and how it is now is not known: the next load asks, and the old value stays for an
   * outage. Without `part` everything of the prompt.
   */
  changed(name: string, part?: { readonly alias: string } | { readonly version: number }): void
  /** The prompt is gone, its versions with it: a number may mean another text from now on. */
  deleted(name: string): void
  /** Asks for an alias now, in the background of whoever loads. @throws {RegistryError} */
  refresh(name: string, alias: string): Promise<void>
  /**
   * From now until `until` what was confirmed at or after `since` is as fresh as if it were confirmed now, for ten TTLs.
   * Both in milliseconds since the epoch. `undefined` ends that.
   */
  freshWhile(live: { readonly since: number; readonly until: number } | undefined): void
}
