import { askCapabilities } from './capabilities.ts'
import { hasCode, isOutage } from './errors.ts'
import type { Http, Send } from './http.ts'
import { type MlflowApi, mlflowApi } from './mlflow-api.ts'
import { type StockOptions, stockChanges, stockMove, stockSeed } from './mlflow-stock.ts'
import { OWN_ROOT, toChange, toSeedResult } from './own-wire.ts'
import type {
  AliasMove,
  Capabilities,
  Change,
  RequestOptions,
  SeedResult,
  Transport,
  VersionDraft,
} from './transport.ts'
import { readRecord } from './wire.ts'
import { toPage } from './wire-lists.ts'

export type MlflowCalls = Omit<Transport, 'address' | 'scope' | 'findByAlias' | 'findByVersion'>

export interface MlflowCallsOptions {
  readonly http: Http
  readonly address: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** A new id for each request that must have its effect once. */
  readonly newId: () => string
}

/** Everything but the two requests of a load: read from the disk when the first of it is called. */
export function createMlflowCalls({ http, address, now, newId }: MlflowCallsOptions): MlflowCalls {
  let known: Capabilities | undefined

  interface Tools extends StockOptions {
    readonly send: Send
    readonly capabilities: () => Promise<Capabilities>
  }

  async function within<T>(
    limits: RequestOptions | undefined,
    work: (tools: Tools) => Promise<T>,
  ): Promise<T> {
    try {
      return await http.within(limits, (send, signal) =>
        work({
          send,
          signal,
          now,
          api: mlflowApi(send, newId),
          capabilities: async () => {
            known ??= await askCapabilities(send, address)
            return known
          },
        }),
      )
    } catch (error) {
      if (isOutage(error)) known = undefined // another server may be there when it answers again
      throw error
    }
  }

  return {
    capabilities: (limits) => within(limits, ({ capabilities }) => capabilities()),
    find: (name, limits) => within(limits, ({ api }) => api.find(name)),
    list: (page, limits) => within(limits, ({ api }) => api.list(page)),
    versions: (name, page, limits) =>
      within(limits, async ({ api }) => {
        const [{ aliases }, { items, ...rest }] = await Promise.all([
          api.find(name),
          api.versions(name, page),
        ])
        const aliasesOf = (version: number) =>
          Object.keys(aliases).filter((alias) => aliases[alias] === version)
        return { ...rest, items: items.map((item) => ({ ...item, aliases: aliasesOf(item.version) })) }
      }),
    register: (draft, limits) =>
      within(limits, async ({ api }) => {
        await makePromptIfAbsent(draft, api)
        return api.createVersion(draft)
      }),
    moveAlias: (move, limits) =>
      within(limits, async (tools) => {
        const { compareAndSet } = await tools.capabilities()
        return compareAndSet ? ourMove(move, newId(), tools.send) : stockMove(move, tools)
      }),
    seed: (draft, limits) =>
      within(limits, async (tools) => {
        const { seed } = await tools.capabilities()
        return seed ? ourSeed(draft, tools) : stockSeed(draft, tools)
      }),
    changes: (name, page = {}, limits) =>
      within(limits, async ({ send, api, capabilities }) => {
        if (!(await capabilities()).history) return stockChanges(await api.find(name))
        const query = { prompt: name, limit: page.limit, page_token: page.pageToken }
        const answer = await send({ method: 'GET', path: `${OWN_ROOT}/changes`, query, about: { name } })
        return toPage(answer, 'changes', async (item) => toChange(item))
      }),
  }
}

/** A prompt without a version that is left when the second call fails is harmless: the next one goes on from it. */
async function makePromptIfAbsent(draft: VersionDraft, api: MlflowApi): Promise<void> {
  const { name, description, commitMessage } = draft
  try {
    await api.find(name)
  } catch (error) {
    if (!hasCode(error, 'PROMPT_NOT_FOUND')) throw error
    await api.createPrompt(name, description ?? commitMessage ?? '')
  }
}

async function ourMove(move: AliasMove, requestId: string, send: Send): Promise<Change> {
  const { to, ...where } = move
  const about = { ...where, version: to }
  const answer = await send({
    method: 'POST',
    path: `${OWN_ROOT}/alias`,
    // By its id the server knows a move that it already made: a lost answer is asked for again, and moves nothing.
    body: { ...about, request_id: requestId },
    about,
  })
  return toChange(readRecord(answer, 'answer').change)
}

async function ourSeed(
  draft: VersionDraft & { readonly alias: string },
  { send, api }: { readonly send: Send; readonly api: MlflowApi },
): Promise<SeedResult> {
  const { modelConfig, responseFormat, commitMessage, ...rest } = draft
  const body = {
    ...rest,
    model_config: modelConfig,
    response_format: responseFormat,
    commit_message: commitMessage,
  }
  try {
    return toSeedResult(await send({ method: 'POST', path: `${OWN_ROOT}/seed`, body, about: draft }))
  } catch (refusal) {
    if (!hasCode(refusal, 'FORBIDDEN')) throw refusal
    // An app that may only read cannot seed, and where the prompt is there it need not.
    const { version, digest } = await api.findByAlias(draft.name, draft.alias).catch(() => {
      throw refusal
    })
    return { outcome: 'skipped', current: { version, digest } }
  }
}
