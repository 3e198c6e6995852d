import type { FollowedChange } from './follow-api.ts'
import type { LiveCache } from './live-cache.ts'
import type { Json } from './prompt.ts'
import type { Change } from './transport.ts'
import { toPromptVersion } from './wire.ts'

export interface Apply {
  /**
   * @param wire - The version that `to` says, as the wire says it; absent when the stream leaves it out.
   * @param isPast - The log is known to go on after it: what it says may be past, and loads may have heard more.
   */
  change(change: Change | FollowedChange, wire?: Json, isPast?: boolean): Promise<void>
  /** Asks for what changes of the past have made uncertain. */
  settle(): Promise<void>
}

/** Does to the cache what a change of the log did to the registry; one after another, in the order of the log. */
export function createApply(cache: LiveCache): Apply {
  const uncertain = new Map<string, { readonly name: string; readonly alias: string }>()
  const known = (name: string) => cache.aliases().filter((one) => one.name === name)

  /** With the version at hand no request is needed; else the next load, or this, asks for it. */
  async function take(name: string, alias: string, wire: Json | undefined, isPast: boolean): Promise<void> {
    if (!known(name).some((one) => one.alias === alias)) return cache.changed(name, { alias }) // being loaded, perhaps
    const version =
      wire === undefined || isPast ? undefined : await toPromptVersion(wire).catch(() => undefined)
    if (version) return cache.said(name, alias, version)
    cache.changed(name, { alias })
    if (isPast) uncertain.set(`${name} ${alias}`, { name, alias })
    else await ask(name, alias)
  }

  function gone(name: string, isPast: boolean): void {
    if (!isPast) cache.deleted(name)
    else {
      cache.changed(name)
      for (const one of known(name)) uncertain.set(`${name} ${one.alias}`, one)
    }
  }

  async function ask(name: string, alias: string): Promise<void> {
    await cache.refresh(name, alias).catch(() => {}) // the next load asks, and hears why
  }

  async function apply(change: Change | FollowedChange, wire?: Json, isPast = false): Promise<void> {
    const { kind, prompt, alias, to } = change
    switch (kind) {
      case 'alias.moved':
      case 'rollout.changed':
        if (alias !== undefined) await take(prompt, alias, wire, isPast)
        return
      case 'alias.removed':
        if (alias === undefined) return
        return isPast ? take(prompt, alias, undefined, isPast) : cache.removed(prompt, alias)
      case 'version.registered':
        for (const one of known(prompt)) if (one.version === undefined) cache.changed(prompt, one)
        return take(prompt, 'latest', wire, isPast)
      case 'version.deleted':
      case 'config.edited':
        if (to === undefined) return cache.changed(prompt)
        cache.changed(prompt, { version: to })
        for (const one of known(prompt)) {
          if (one.version === to || one.alias === 'latest') await take(prompt, one.alias, undefined, isPast)
        }
        return
      case 'prompt.deleted':
        return gone(prompt, isPast)
      case 'prompt.renamed':
        gone(prompt, isPast)
        if ('newName' in change && change.newName !== undefined) cache.changed(change.newName)
        return
      case 'message.edited':
        return
    }
  }

  return {
    change: apply,
    async settle() {
      const asked = [...uncertain.values()]
      uncertain.clear()
      for (const { name, alias } of asked) await ask(name, alias)
    },
  }
}
