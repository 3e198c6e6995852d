import type { FollowedChange } from './follow-api.ts'
import type { Send } from './http.ts'
import type { KnownAlias, LiveCache } from './live-cache.ts'
import { OWN_ROOT, toChange } from './own-wire.ts'
import type { PromptInfo } from './prompt.ts'
import type { Change, RequestOptions, Transport } from './transport.ts'
import { toPage } from './wire-lists.ts'

/** MLflow's most. */
const PAGE = 1_000

/** What the log holds after a change, oldest first. */
export interface LogPart {
  readonly changes: readonly Change[]
  readonly last: number
  /** Why it does not go on where it was read last. */
  readonly reset?: string
}

/** Our log without a stream. @param after - Absent: nothing is read but where the log ends. */
export async function readLog(send: Send, after: number | undefined): Promise<LogPart> {
  const found: Change[] = []
  let last: number | undefined
  let pageToken: string | undefined
  do {
    const limit = after === undefined ? 1 : PAGE
    const query = { limit, page_token: pageToken }
    const answer = await send({ method: 'GET', path: `${OWN_ROOT}/changes`, query })
    const { items, nextPageToken } = await toPage(answer, 'changes', async (item) => toChange(item))
    last ??= items[0]?.seq ?? 0
    const isNew = ({ seq = 0 }: Change) => seq > (after ?? 0)
    found.push(...items.filter(isNew))
    pageToken = items.every(isNew) && after !== undefined ? nextPageToken : undefined
  } while (pageToken !== undefined)
  if (after === undefined) return { changes: [], last }
  const changes = found.reverse()
  const first = changes[0]?.seq ?? last + 1
  if (last < after) return { changes: [], last, reset: `the log ends at ${last}` }
  if (first > after + 1) return { changes: [], last, reset: `the log goes on at ${first}` }
  return { changes, last }
}

/**
 * A registry without a log, asked for everything: one page of a thousand prompts after another says where all aliases
 * are, and only what moved is fetched. A rollout is not seen here (it is a tag of a version): it comes with the TTL.
 */
export function createAliasPoll(transport: Transport, cache: LiveCache) {
  /** By name: a prompt that was deleted and made anew counts its versions from 1 again. */
  const madeAt = new Map<string, number>()
  /** What was told of an alias that cannot be kept so: it is asked for each time, and told once. */
  const told = new Map<string, number>()

  async function listAll(limits: RequestOptions): Promise<ReadonlyMap<string, PromptInfo>> {
    const found = new Map<string, PromptInfo>()
    let pageToken: string | undefined
    do {
      const page = await transport.list({ limit: PAGE, pageToken }, limits)
      for (const info of page.items) found.set(info.name, info)
      pageToken = page.nextPageToken
    } while (pageToken !== undefined)
    return found
  }

  return async function poll(limits: RequestOptions): Promise<readonly FollowedChange[]> {
    const before = cache.aliases()
    const prompts = await listAll(limits)
    const changes: FollowedChange[] = []
    for (const known of before) {
      const info = prompts.get(known.name)
      const isTold = !info && changes.some(({ prompt }) => prompt === known.name)
      const found = await compare(known, info)
      if (!isTold) changes.push(...found)
    }
    for (const { name } of before) {
      const info = prompts.get(name)
      if (info) madeAt.set(name, info.createdAt)
      else madeAt.delete(name)
    }
    return changes
  }

  async function compare(known: KnownAlias, info: PromptInfo | undefined): Promise<FollowedChange[]> {
    const { name: prompt, alias, version: from } = known
    const key = `${prompt}@${alias}`
    const to = alias === 'latest' ? info?.latestVersion : info?.aliases[alias]
    const isTold = to !== undefined && told.get(key) === to
    told.delete(key)
    if (!info) {
      if (from === undefined) return []
      cache.deleted(prompt)
      return [{ kind: 'prompt.deleted', prompt }]
    }
    const was = madeAt.get(prompt)
    const isMadeAnew = was !== undefined && was !== info.createdAt
    if (isMadeAnew) cache.changed(prompt)
    if (to === from && !isMadeAnew) return []
    if (to === undefined) {
      cache.removed(prompt, alias)
      return [{ kind: 'alias.removed', prompt, alias, ...(from !== undefined && { from }) }]
    }
    cache.changed(prompt, { alias })
    await cache.refresh(prompt, alias).catch(() => {}) // the next load asks, and hears why
    told.set(key, to)
    if (isTold && !isMadeAnew) return []
    return [{ kind: 'alias.moved', prompt, alias, to, ...(from !== undefined && { from }) }]
  }
}
