import type { FollowedChange } from './follow-api.ts'
import type { LiveCache } from './live-cache.ts'
import type { Json } from './prompt.ts'
import type { Change } from './transport.ts'
import { toPromptVersion } from './wire.ts'

/** Does to the cache what a change of the log did to the registry; one after another, in the order of the log. */
export function createApply(cache: LiveCache) {
  const known = (name: string) => cache.aliases().filter((one) => one.name === name)

  /** With the version at hand no request is needed; else the next load, or this, asks for it. */
  async function take(name: string, alias: string, wire: Json | undefined): Promise<void> {
    if (!known(name).some((one) => one.alias === alias)) return cache.changed(name, { alias }) // being loaded, perhaps
    const version = wire === undefined ? undefined : await toPromptVersion(wire).catch(() => undefined)
    if (version) return cache.said(name, alias, version)
    cache.changed(name, { alias })
    await cache.refresh(name, alias).catch(() => {}) // the next load asks, and hears why
  }

  /** @param wire - The version that `to` says, as the wire says it; absent when the stream leaves it out. */
  return async function apply(change: Change | FollowedChange, wire?: Json): Promise<void> {
    const { kind, prompt, alias, to } = change
    switch (kind) {
      case 'alias.moved':
      case 'rollout.changed':
        if (alias !== undefined) await take(prompt, alias, wire)
        return
      case 'alias.removed':
        if (alias !== undefined) cache.removed(prompt, alias)
        return
      case 'version.registered':
        for (const one of known(prompt)) if (one.version === undefined) cache.changed(prompt, one)
        return take(prompt, 'latest', wire)
      case 'version.deleted':
      case 'config.edited':
        if (to === undefined) return cache.changed(prompt)
        cache.changed(prompt, { version: to })
        for (const one of known(prompt)) {
          if (one.version === to || one.alias === 'latest') await take(prompt, one.alias, undefined)
        }
        return
      case 'prompt.deleted':
        return cache.deleted(prompt)
      case 'prompt.renamed':
        cache.deleted(prompt)
        if ('newName' in change && change.newName !== undefined) cache.changed(change.newName)
        return
      case 'message.edited':
        return
    }
  }
}
