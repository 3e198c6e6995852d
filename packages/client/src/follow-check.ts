import type { Connection } from './connection.ts'
import { withDeadline } from './deadline.ts'
import { RegistryError } from './errors.ts'
import type { LiveCache } from './live-cache.ts'
import { OWN_ROOT } from './own-wire.ts'
import type { Json } from './prompt.ts'
import { readList, readRecord, readString, toPromptVersion } from './wire.ts'

/** Of one request; the server takes 500, and addresses must not get too long. */
const NAMES = 100
const TIMEOUT_MS = 10_000

export interface CheckOptions {
  readonly connection: Connection
  readonly fetch: typeof fetch
  readonly cache: LiveCache
  readonly signal: AbortSignal
}

/**
 * Everything that is kept, asked for again at once: however well a stream is heard, a mistake must not stay for ever. What
 * did not change costs an answer without a body.
 */
export function createCheck({ connection, fetch, cache, signal }: CheckOptions) {
  const { address, headers } = connection
  const etags = new Map<string, string>()

  /** @returns the last change that the answers know; absent when nothing is kept. @throws what `fetch` and reading say */
  return async function check(): Promise<number | undefined> {
    const seqs: number[] = []
    const byAlias = new Map<string, string[]>()
    for (const { name, alias, version } of cache.aliases()) {
      if (version !== undefined) byAlias.set(alias, [...(byAlias.get(alias) ?? []), name])
    }
    for (const [alias, names] of byAlias) {
      names.sort()
      for (let i = 0; i < names.length; i += NAMES) seqs.push(await ask(alias, names.slice(i, i + NAMES)))
    }
    return seqs.length === 0 ? undefined : Math.min(...seqs)
  }

  async function ask(alias: string, names: readonly string[]): Promise<number> {
    const path = `${OWN_ROOT}/resolve?${new URLSearchParams({ names: names.join(','), alias })}`
    const etag = etags.get(path)
    return withDeadline({ signal, timeoutMs: TIMEOUT_MS }, address, async (signal) => {
      const given = {
        ...headers,
        accept: 'application/json',
        ...(etag !== undefined && { 'if-none-match': etag }),
      }
      const response = await fetch(`${address}${path}`, { headers: given, signal })
      const seq = Number(response.headers.get('promptkeep-seq') ?? 0)
      if (response.status === 304) {
        for (const name of names) cache.confirmed(name, alias)
        return seq
      }
      if (!response.ok)
        throw new RegistryError('UNAVAILABLE', `${address} cannot answer now`, { status: response.status })
      const answer = readRecord((await response.json()) as Json, 'answer')
      for (const one of readList(answer, 'prompts')) {
        const version = await toPromptVersion(one.model_version).catch(() => undefined)
        if (version) await cache.said(version.name, alias, version)
        else cache.changed(readString(one, 'name'), { alias })
      }
      for (const one of readList(answer, 'missing')) cache.removed(readString(one, 'name'), alias)
      if (etags.size > NAMES) etags.clear()
      const tag = response.headers.get('etag')
      if (tag !== null) etags.set(path, tag)
      return seq
    })
  }
}
