import { defined } from './defined.ts'
import { hasCode } from './errors.ts'
import { toChange } from './own-wire.ts'
import type { Json, JsonObject, PromptVersion } from './prompt.ts'
import type { Role } from './roles.ts'
import type { Change } from './transport.ts'
import { readList, readRecord, readString, readTime, toPromptVersion, unreadable } from './wire.ts'
import { TAG } from './wire-keys.ts'

/** Who the registry takes the caller for. */
export interface Identity {
  /** The token's name, as it stands in the change log; `anonymous` while the server has no tokens. */
  readonly actor: string
  readonly roles: readonly Role[]
  /** Whether the server has any token. From the first one on nobody is anonymous. */
  readonly tokens: boolean
}

/** A token as it may be shown: never its secret. Times are milliseconds since the epoch. */
export interface Token {
  readonly id: string
  /** Unique for ever, also among revoked ones. */
  readonly name: string
  readonly roles: readonly Role[]
  readonly createdAt: number
  readonly createdBy: string
  /** Absent: it never expires. */
  readonly expiresAt?: number
  readonly revokedAt?: number
  readonly lastUsedAt?: number
}

/** A token that was made just now. */
export interface MadeToken extends Token {
  /** What a client sends. The registry keeps its hash only: this is the one time that it is told. */
  readonly token: string
}

/** What moving an alias takes, whatever the prompt. */
export interface Policy {
  readonly alias: string
  /** One of these may move it; an admin always may. */
  readonly roles: readonly Role[]
  readonly reasonRequired: boolean
  /** Needs a run that judged the very version it is moved to. */
  readonly evidenceRequired: boolean
  /** Oldest run that is evidence; absent: any age. */
  readonly maxAgeSeconds?: number
  /** Milliseconds since the epoch. */
  readonly updatedAt: number
  readonly updatedBy: string
}

/** What an alias says, or said. */
export interface ResolvedPrompt {
  readonly name: string
  /** The alias that answered: the first of the chain that the prompt has. */
  readonly alias: string
  readonly version: number
  /** Absent where the log does not hold it. */
  readonly digest?: string
  /** Weights of other versions, as the tag `promptkeep.rollout.<alias>` says them. */
  readonly rollout?: string
  /** Absent where it was not kept, and where it is no prompt that can be read. */
  readonly content?: PromptVersion
  /** The change that made the alias say this; asked for a past time only. */
  readonly since?: Change
}

export interface Resolution {
  /** Of the last change that the answer knows; absent on a stock MLflow server. */
  readonly seq?: number
  /** The past time that was asked for, in milliseconds since the epoch. */
  readonly at?: number
  readonly prompts: readonly ResolvedPrompt[]
  readonly missing: readonly {
    readonly name: string
    readonly code: 'PROMPT_NOT_FOUND' | 'ALIAS_NOT_FOUND'
  }[]
}

export function toIdentity(wire: unknown): Identity {
  const it = readRecord(wire, 'whoami')
  return { actor: readString(it, 'actor'), roles: toRoles(it), tokens: it.tokens === true }
}

export function toToken(wire: unknown): Token {
  const it = readRecord(wire, 'token')
  return {
    id: readString(it, 'id'),
    name: readString(it, 'name'),
    roles: toRoles(it),
    createdAt: readTime(it, 'created_at'),
    createdBy: readString(it, 'created_by'),
    ...defined({
      expiresAt: number(it.expires_at),
      revokedAt: number(it.revoked_at),
      lastUsedAt: number(it.last_used_at),
    }),
  }
}

export const toMadeToken = (wire: unknown): MadeToken => ({
  ...toToken(wire),
  token: readString(readRecord(wire, 'token'), 'token'),
})

export function toPolicy(wire: unknown): Policy {
  const it = readRecord(wire, 'policy')
  return {
    alias: readString(it, 'alias'),
    roles: toRoles(it),
    reasonRequired: it.reason_required === true,
    evidenceRequired: it.evidence_required === true,
    ...defined({ maxAgeSeconds: number(it.max_age_seconds) }),
    updatedAt: readTime(it, 'updated_at'),
    updatedBy: readString(it, 'updated_by'),
  }
}

export async function toResolution(wire: unknown): Promise<Resolution> {
  const it = readRecord(wire, 'answer')
  return {
    ...defined({ seq: number(it.seq), at: number(it.at) }),
    prompts: await Promise.all(readList(it, 'prompts').map(toResolved)),
    missing: readList(it, 'missing').map((one) => ({
      name: readString(one, 'name'),
      code: readString(one, 'code') as Resolution['missing'][number]['code'],
    })),
  }
}

async function toResolved(it: JsonObject): Promise<ResolvedPrompt> {
  const content = await readContent(it.model_version)
  const alias = readString(it, 'alias')
  const version = number(it.version) ?? content?.version ?? Number(recordOf(it.model_version).version)
  if (!Number.isInteger(version)) unreadable('version')
  return {
    name: readString(it, 'name'),
    alias,
    version,
    ...defined({
      digest: text(it.digest) ?? content?.digest,
      rollout: text(it.rollout) ?? content?.tags[`${TAG.rolloutPrefix}${alias}`],
      content,
      since: it.since === undefined || it.since === null ? undefined : toChange(it.since),
    }),
  }
}

/** Among many prompts one that no client can read is no reason to tell nothing of the others. */
async function readContent(wire: Json | undefined): Promise<PromptVersion | undefined> {
  if (wire === undefined || wire === null) return undefined
  try {
    return await toPromptVersion(wire)
  } catch (error) {
    if (hasCode(error, 'INVALID_INPUT')) return undefined
    throw error
  }
}

function toRoles(it: JsonObject): readonly Role[] {
  const { roles } = it
  return Array.isArray(roles)
    ? (roles.filter((role) => typeof role === 'string') as Role[])
    : unreadable('roles')
}

const recordOf = (value: Json | undefined): JsonObject => (value ?? {}) as JsonObject
const number = (value: Json | undefined) => (typeof value === 'number' ? value : undefined)
const text = (value: Json | undefined) => (typeof value === 'string' ? value : undefined)
