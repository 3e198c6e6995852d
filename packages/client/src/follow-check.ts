import type { Connection } from './connection.ts'
import { withDeadline } from './deadline.ts'
import { RegistryError } from './errors.ts'
import type { Turns } from './follow-turns.ts'
import type { LiveCache } from './live-cache.ts'
import { OWN_ROOT } from './own-wire.ts'
import type { Json, JsonObject } from './prompt.ts'
import { readList, readRecord, readString, toPromptVersion } from './wire.ts'

/** Of one request; the server takes 500, and addresses must not get too long. */
const NAMES = 100
const TIMEOUT_MS = 10_000
/** While the log grows faster than an answer comes. */
const TRIES = 5

export interface CheckOptions {
  readonly connection: Connection
  readonly fetch: typeof fetch
  readonly cache: LiveCache
  readonly turns: Turns
  readonly signal: AbortSignal
}

export interface Check {
  /**
   * Everything that is kept, asked for again at once: however well a stream is heard, a mistake must not stay for ever.
   * What did not change costs an answer without a body. @throws what `fetch` and reading say
   */
  run(): Promise<void>
  /** A change of this prompt was heard: "as before" says nothing about what is kept now. */
  touched(name: string): void
}

export function createCheck({ connection, fetch, cache, turns, signal }: CheckOptions): Check {
  const { address, headers } = connection
  const etags = new Map<string, { readonly etag: string; readonly names: readonly string[] }>()

  /** @returns whether the answer was of use: what is heard meanwhile can be newer. */
  async function ask(alias: string, names: readonly string[]): Promise<boolean> {
    const path = `${OWN_ROOT}/resolve?${new URLSearchParams({ names: names.join(','), alias })}`
    const before = etags.get(path)
    const { isAsBefore, seq, etag, answer } = await get(path, before?.etag)
    let isOfUse = true
    const isInTime = await turns.at(seq, async () => {
      if (!isAsBefore) {
        await take(answer, alias)
        if (etags.size > NAMES) etags.clear()
        if (etag !== null) etags.set(path, { etag, names })
        return
      }
      isOfUse = etags.get(path) === before
      if (isOfUse) for (const name of names) cache.confirmed(name, alias)
    })
    return isInTime && isOfUse
  }

  async function take(answer: JsonObject, alias: string): Promise<void> {
    for (const one of readList(answer, 'prompts')) {
      const version = await toPromptVersion(one.model_version).catch(() => undefined)
      if (version) await cache.said(version.name, alias, version)
      else cache.changed(readString(one, 'name'), { alias })
    }
    for (const one of readList(answer, 'missing')) cache.removed(readString(one, 'name'), alias)
  }

  function get(path: string, etag: string | undefined) {
    return withDeadline({ signal, timeoutMs: TIMEOUT_MS }, address, async (signal) => {
      const given = {
        accept: 'application/json',
        ...headers,
        ...(etag !== undefined && { 'if-none-match': etag }),
      }
      const response = await fetch(`${address}${path}`, { headers: given, signal })
      const { ok, status } = response
      if (!ok && status !== 304)
        throw new RegistryError('UNAVAILABLE', `${address} cannot answer now`, { status })
      const answer: JsonObject = ok ? readRecord((await response.json()) as Json, 'answer') : {}
      const seq = Number(response.headers.get('promptkeep-seq') ?? 0)
      return { isAsBefore: !ok, seq, etag: response.headers.get('etag'), answer }
    })
  }

  return {
    async run() {
      const byAlias = new Map<string, string[]>()
      for (const { name, alias, version } of cache.aliases()) {
        if (version !== undefined) byAlias.set(alias, [...(byAlias.get(alias) ?? []), name])
      }
      for (const [alias, names] of byAlias) {
        names.sort()
        for (let i = 0; i < names.length; i += NAMES) {
          for (let tries = 1; !(await ask(alias, names.slice(i, i + NAMES))) && tries < TRIES; tries++);
        }
      }
    },
    touched(name) {
      for (const [path, { names }] of etags) if (names.includes(name)) etags.delete(path)
    },
  }
}
