/**
 * What a person or a script does with a registry beyond loading prompts: the history of all prompts, what aliases said
 * at another time, rollbacks, tokens and policies. Nothing here caches, and nothing falls back.
 * @module
 */
import { toFleet } from './admin-fleet.ts'
import type { Admin, AdminOptions, Rollback } from './admin-port.ts'
import { checkRollout, stockRollout } from './admin-rollout.ts'
import { stockLog, stockResolve, stockRollback } from './admin-stock.ts'
import { toIdentity, toMadeToken, toPolicy, toResolution, toToken } from './admin-wire.ts'
import { askCapabilities } from './capabilities.ts'
import { checkAlias, checkChain, checkName, checkVersion } from './check-names.ts'
import { readConnection } from './connection.ts'
import { InvalidInput, isOutage, RegistryError } from './errors.ts'
import { followChanges } from './follow-changes.ts'
import { createHttp, type HttpRequest, type Send } from './http.ts'
import { mlflowApi } from './mlflow-api.ts'
import type { StockOptions } from './mlflow-stock.ts'
import { OWN_ROOT, toChange } from './own-wire.ts'
import { readEnvironment } from './platform.ts'
import type { JsonObject } from './prompt.ts'
import { checkLimits } from './query.ts'
import { checkObject, refuse } from './refuse.ts'
import { ROLES } from './roles.ts'
import { DEFAULT_TRACKING_URI } from './settings.ts'
import type { Capabilities, RequestOptions } from './transport.ts'
import { checkNote } from './validate.ts'
import { readList, readRecord } from './wire.ts'
import { toPage } from './wire-lists.ts'

export { type Fleet, type FleetInstance, type FleetQuery, isBehind, type Reach } from './admin-fleet.ts'
export type * from './admin-port.ts'
export type { Identity, MadeToken, Policy, Resolution, ResolvedPrompt, Token } from './admin-wire.ts'
export { type Connection, readConnection } from './connection.ts'
export type { LogEvent } from './follow-changes.ts'
export { createHttp, type Http, type HttpRequest, type Send } from './http.ts'
export { ROLES, type Role } from './roles.ts'

/** @throws {InvalidInput} for a bad option, an address or a credential that cannot be used; before any request */
export function createAdmin(options: AdminOptions = {}): Admin {
  checkObject(options, 'options')
  const { env = readEnvironment(), fetch = globalThis.fetch, now = Date.now, random = Math.random } = options
  const { timeoutMs: longestMs = DEFAULT_TIMEOUT_MS, newId = () => crypto.randomUUID() } = options
  const { trackingUri = env.MLFLOW_TRACKING_URI || DEFAULT_TRACKING_URI } = options
  checkLimits({ timeoutMs: longestMs })
  if (typeof trackingUri !== 'string')
    refuse('trackingUri', trackingUri, 'an address, such as http://127.0.0.1:5055')
  const connection = readConnection(trackingUri, env)
  const { address } = connection
  const http = createHttp({ connection, fetch, random })
  let known: Capabilities | undefined

  interface Tools extends StockOptions {
    readonly send: Send
    readonly server: Capabilities
  }

  async function within<T>(limits: RequestOptions = {}, work: (tools: Tools) => Promise<T>): Promise<T> {
    checkLimits(limits)
    const { signal, timeoutMs = longestMs } = limits
    try {
      return await http.within({ signal, timeoutMs }, async (send, signal) => {
        known ??= await askCapabilities(send, address)
        return work({ send, signal, now, api: mlflowApi(send, newId), server: known })
      })
    } catch (error) {
      if (isOutage(error)) known = undefined // another server may be there when it answers again
      throw error
    }
  }

  /** A call that only our server has. @param what - How it is called when there is none. */
  async function call({ send, server }: Tools, what: string, request: HttpRequest): Promise<JsonObject> {
    requireOurs(server, what)
    try {
      return readRecord(await send({ ...request, path: `${OWN_ROOT}/${request.path}` }), 'answer')
    } catch (error) {
      throw explainMissing(error, what, server)
    }
  }

  const ours = (what: string, request: HttpRequest, limits?: RequestOptions) =>
    within(limits, (tools) => call(tools, what, request))

  function requireOurs({ server, version }: Capabilities, what: string): void {
    if (server === 'promptkeep') return
    throw new InvalidInput(`${address} is a stock MLflow server (${version}): it has no ${what}`)
  }

  /** A path that our server does not know: it is older than we are. */
  function explainMissing(error: unknown, what: string, { version }: Capabilities): unknown {
    if (!(error instanceof RegistryError) || error.mlflowCode !== 'ENDPOINT_NOT_FOUND') return error
    const message = `${address} is an older registry (promptkeep ${version}): it has no ${what}`
    return new InvalidInput(message, { cause: error, status: 404 })
  }

  return {
    address,
    capabilities: (limits) => within(limits, async ({ server }) => server),

    async whoami(limits) {
      return toIdentity(await ours('tokens', { method: 'GET', path: 'whoami' }, limits))
    },

    async changes(filter = {}, limits) {
      checkObject(filter, 'filter')
      const { prompt, kinds, pageToken, ...rest } = filter
      if (prompt !== undefined) checkName(prompt, 'prompt')
      const query = { ...rest, prompt, kind: kinds?.join(',') || undefined, page_token: pageToken }
      const request = { method: 'GET', path: 'changes', query, about: { name: prompt } } as const
      return within(limits, async (tools) => {
        if (!tools.server.history) return stockLog(filter, tools)
        return toPage(await call(tools, 'history', request), 'changes', async (item) => toChange(item))
      })
    },

    async *follow({ signal, after }) {
      requireOurs(await within({ signal }, async ({ server }) => server), 'live changes')
      yield* followChanges({ connection, fetch, random, signal, after })
    },

    async resolve(names, { alias = 'production', at } = {}, limits) {
      if (!Array.isArray(names) || names.length === 0)
        refuse('names', names, 'a list of at least one prompt name')
      for (const name of names) checkName(name)
      const chain = checkChain(alias)
      const query = { names: names.join(','), alias: chain.join(','), at }
      return within(limits, async (tools) => {
        if (at !== undefined) requireOurs(tools.server, 'past to look at: it keeps no log')
        if (tools.server.server === 'mlflow') return stockResolve(names, chain, tools)
        return toResolution(await call(tools, 'resolve', { method: 'GET', path: 'resolve', query }))
      })
    },

    async rollback(rollback, limits) {
      const { name, alias, toSeq, reason, expected, force } = checkRollback(rollback)
      // By its id the server knows a rollback that it made: a lost answer is asked for again, and changes nothing.
      const body = { name, alias, to_seq: toSeq, reason, expected, force, request_id: newId() }
      const request = { method: 'POST', path: 'rollback', body, about: { name, alias } } as const
      return within(limits, async (tools) => {
        if (tools.server.server === 'mlflow') return stockRollback(rollback, tools)
        return readList(await call(tools, 'rollback', request), 'changes').map(toChange)
      })
    },

    async rollout(rollout, limits) {
      const checked = checkRollout(rollout)
      const { name, alias, weights, ...said } = checked
      const body = { name, alias, weights: Object.fromEntries(weights), ...said, request_id: newId() }
      const request = { method: 'POST', path: 'rollout', body, about: { name, alias } } as const
      return within(limits, async (tools) => {
        if (tools.server.server === 'mlflow') return stockRollout(checked, tools)
        return readList(await call(tools, 'rollouts', request), 'changes').map(toChange)
      })
    },

    async fleet({ prompt, alias, app } = {}, limits) {
      if (prompt !== undefined) checkName(prompt, 'prompt')
      const query = { prompt, alias, app }
      return toFleet(await ours('fleet', { method: 'GET', path: 'fleet', query }, limits))
    },

    tokens: {
      async create({ name, roles, expiresInSeconds }, limits) {
        checkRoles(roles)
        const body = { name, roles, expires_in_seconds: expiresInSeconds }
        const request = { method: 'POST', path: 'tokens', body, beforeRetry: 'never' } as const
        return toMadeToken(await ours('tokens', request, limits))
      },
      async list(limits) {
        return readList(await ours('tokens', { method: 'GET', path: 'tokens' }, limits), 'tokens').map(
          toToken,
        )
      },
      async revoke(idOrName, { force } = {}, limits) {
        const body = { token: idOrName, force }
        const request = { method: 'POST', path: 'tokens/revoke', body } as const
        try {
          return toToken(await ours('tokens', request, limits))
        } catch (error) {
          throw (error as RegistryError).mlflowCode === 'RESOURCE_DOES_NOT_EXIST'
            ? new InvalidInput(
                `there is no token ${JSON.stringify(idOrName)} at ${address}, by id or by name`,
                {
                  status: 404,
                  cause: error,
                },
              )
            : error
        }
      },
    },

    policies: {
      async list(limits) {
        const answer = await ours('policies', { method: 'GET', path: 'policies' }, limits)
        return readList(answer, 'policies').map(toPolicy)
      },
      async set({ alias, roles, reasonRequired, evidenceRequired, maxAgeSeconds }, limits) {
        checkAlias(alias)
        if (roles !== undefined) checkRoles(roles)
        const body = {
          alias,
          roles,
          reason_required: reasonRequired,
          evidence_required: evidenceRequired,
          max_age_seconds: maxAgeSeconds,
        }
        return toPolicy((await ours('policies', { method: 'POST', path: 'policies', body }, limits)).policy)
      },
      async remove(alias, limits) {
        const request = { method: 'POST', path: 'policies/remove', body: { alias } } as const
        return (await ours('policies', request, limits)).removed === true
      },
    },
  }
}

/** Nobody's answer to a user hangs on it. */
const DEFAULT_TIMEOUT_MS = 10_000

function checkRollback(rollback: Rollback): Rollback {
  checkObject(rollback, 'rollback')
  const { name, alias, toSeq, reason, expected } = rollback
  checkName(name)
  if (alias !== undefined) checkAlias(alias)
  if (toSeq !== undefined && !(Number.isSafeInteger(toSeq) && toSeq > 0))
    refuse('toSeq', toSeq, 'the number of a change')
  checkNote(reason, 'reason')
  if (reason.trim() === '') refuse('reason', reason, 'a text that says why')
  if (expected !== undefined && expected !== null) checkVersion(expected, 'expected')
  return rollback
}

function checkRoles(roles: unknown): void {
  const list =
    Array.isArray(roles) && roles.length > 0 ? roles : refuse('roles', roles, `a list of ${ROLES.join(', ')}`)
  for (const role of list)
    if (!ROLES.includes(role)) refuse('roles', role, `one or more of ${ROLES.join(', ')}`)
}
