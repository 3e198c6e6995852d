import type { Found, LoadLimits } from './loader-port.ts'
import type { PromptBody, PromptSource } from './prompt.ts'
import { type Key, keyOf } from './question.ts'
import { TAG } from './wire-keys.ts'

/** With another value at hand (an older one, or the version that an alias points at) a load waits no longer than this. */
export const GRACE_MS = 250

export interface ShareOptions {
  /** As the loader finds, without a key. */
  readonly find: (keys: readonly Key[], limits: LoadLimits) => Promise<Found>
  readonly scope: string
  readonly strict: boolean
  /** Of what is asked for in the background, in milliseconds. */
  readonly timeoutMs: number
}

export interface ShareLimits extends LoadLimits {
  readonly key: string
  /** When the load began, by `performance.now`. */
  readonly startedAt: number
}

/**
 * Of an alias that is split, the version for a key. A version that cannot be had gives the one that the alias points at;
 * in strict mode its error.
 */
export function createShare({ find, scope, strict, timeoutMs }: ShareOptions) {
  /** Versions whose rollout's other versions were asked for. */
  const prepared = new WeakSet<PromptBody>()

  /** The next keys need the others: a slow answer would give them the wrong version first. */
  function prepare(body: PromptBody, versions: Iterable<number>): void {
    if (prepared.has(body)) return
    prepared.add(body)
    for (const version of versions) {
      const asked = keyOf(scope, body.name, { version })
      if (version !== body.version) find([asked], { timeoutMs }).catch(() => {})
    }
  }

  return async function share(found: Found, limits: ShareLimits): Promise<Found> {
    const { body, alias, source } = found
    if (alias === undefined || body.tags[TAG.rolloutPrefix + alias] === undefined) return found
    const { chooseVersion, readRollout } = await import('./rollout.ts')
    const weights = readRollout(body.tags, alias, body.version)
    if (!weights) return found
    prepare(body, weights.keys())
    const version = chooseVersion(weights, limits.key, `${body.name}@${alias}`)
    if (version === body.version) return found
    const leftMs = Math.max(1, limits.timeoutMs - (performance.now() - limits.startedAt))
    try {
      const chosen = await find([keyOf(scope, body.name, { version })], {
        signal: limits.signal,
        timeoutMs: source === 'registry' ? leftMs : Math.min(leftMs, GRACE_MS),
      })
      return {
        ...found,
        body: chosen.body,
        source: ORDER[Math.max(ORDER.indexOf(source), ORDER.indexOf(chosen.source))] as Found['source'],
        cause: found.cause ?? chosen.cause,
      }
    } catch (cause) {
      if (strict || limits.signal?.aborted) throw cause
      return { ...found, cause } // the version that the alias points at is better than none
    }
  }
}

/** From what the registry says now to what it said longest ago. */
const ORDER: readonly PromptSource[] = ['cache', 'registry', 'stale', 'snapshot']
