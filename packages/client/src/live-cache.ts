import { defined } from './defined.ts'
import { AliasNotFound, PromptNotFound } from './errors.ts'
import type { LoaderInside } from './loader-port.ts'
import type { PromptVersion } from './prompt.ts'
import { type Key, keyOf, prefixOf, readKey } from './question.ts'

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
 * same thing, so that a late answer never undoes it.
 */
export interface LiveCache {
  /** Every alias that was loaded and is still kept (`latest` among them). */
  aliases(): readonly KnownAlias[]
  /**
   * The alias says this version now. Kept only where the app loaded that alias before, or is loading it; resolves when
   * loads see it. Never rejects: of what cannot be served the next load hears why.
   */
  said(name: string, alias: string, version: PromptVersion): Promise<void>
  /** The registry was asked, and the alias says what is kept. */
  confirmed(name: string, alias: string): void
  /** The prompt has no such alias any more. */
  removed(name: string, alias: string): void
  /**
   * It is no longer as it is kept, and how it is now is not known: the next load asks, and the old value stays for an
   * outage. Without `part` everything of the prompt.
   */
  changed(name: string, part?: { readonly alias: string } | { readonly version: number }): void
  /** The prompt is gone, its versions with it: a number may mean another text from now on. */
  deleted(name: string): void
  /**
   * What was asked until now is not kept: who begins to listen cannot know whether the answer is from before the first
   * change that is heard.
   */
  supersede(): void
  /** Asks for an alias now, in the background of whoever loads. @throws {RegistryError} */
  refresh(name: string, alias: string): Promise<void>
  /**
   * From now until `until` what was confirmed at or after `since` is as fresh as if it were confirmed now, for ten TTLs.
   * Both in milliseconds since the epoch. `undefined` ends that.
   */
  freshWhile(live: { readonly since: number; readonly until: number } | undefined): void
}

/** The cache as a follower sees it. */
export function createLiveCache(inside: LoaderInside): LiveCache {
  const { cache, scope, heard, keepFresh, refresh, freshWhile } = inside
  const aliasKey = (name: string, alias: string) => keyOf(scope, name, { alias })
  const isKept = ({ text }: Key) => cache.peek(text) !== undefined || cache.isAsking(text)
  const keysOf = (name: string) => cache.keys(prefixOf(scope, name)).map((text) => readKey(scope, text))

  function isGone(key: Key, error: Error): void {
    if (isKept(key)) cache.write(key.text, { error })
    keepFresh(key)
    heard(key, undefined)
  }

  return {
    aliases() {
      return cache.keys(`${scope} `).flatMap((text): KnownAlias[] => {
        const slot = cache.peek(text)
        const { name, alias } = readKey(scope, text)
        if (!slot || alias === undefined) return []
        const { usedAt, answer } = slot
        const { version, digest } = answer.kind === 'value' ? answer.value.body : {}
        return [{ name, alias, usedAt, confirmedAt: answer.confirmedAt, ...defined({ version, digest }) }]
      })
    },
    async said(name, alias, version) {
      const key = aliasKey(name, alias)
      if (!isKept(key)) return
      cache.expire(key.text)
      try {
        // As an answer that is under way: who loads meanwhile waits for it, and what comes later supersedes it.
        await cache.ask(key.text, () => inside.admit(version))
        heard(key, version)
      } catch {
        // An empty text is kept as an absence, anything else is asked for by the next load.
      }
      keepFresh(key)
    },
    confirmed(name, alias) {
      const { text } = aliasKey(name, alias)
      const slot = cache.peek(text)
      if (slot?.answer.kind === 'value' && !slot.isExpired) cache.write(text, slot.answer)
    },
    removed: (name, alias) => isGone(aliasKey(name, alias), new AliasNotFound(alias)),
    changed(name, part) {
      const keys = part === undefined ? keysOf(name) : [keyOf(scope, name, part)]
      for (const { text } of keys) cache.expire(text)
    },
    deleted(name) {
      for (const key of keysOf(name)) isGone(key, new PromptNotFound(name))
    },
    supersede() {
      for (const text of cache.keys(`${scope} `)) if (cache.isAsking(text)) cache.expire(text)
    },
    refresh: (name, alias) => refresh(aliasKey(name, alias)),
    freshWhile,
  }
}
