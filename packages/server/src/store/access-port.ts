import { ROLES, type Role } from '@promptkeep/client/protocol'

/*
 * Who asks, what tokens and policies say of it, and the ports that keep them.
 */

/** Who asks, and what they may. */
export interface Principal {
  /** The token's name, as it stands in the change log. */
  readonly actor: string
  readonly roles: readonly Role[]
  /** Absent while the server has no tokens. */
  readonly tokenId?: string | undefined
}

/** Whoever reaches a server that has no tokens: it listens on loopback only. */
export const ANYBODY: Principal = { actor: 'anonymous', roles: ROLES }

/** Who did it, by which right, and why: for policies and the change log. */
export interface Author extends Principal {
  readonly reason?: string | undefined
  /** For a policy that asks for it: the id of the eval run that judged what an alias is moved to. */
  readonly evidence?: string | undefined
  /** Against the policy; needs an admin and a reason. */
  readonly force?: boolean | undefined
}

/** A token as it may be shown: never its secret. */
export interface Token {
  /** Part of the token, so that it is found without its secret. */
  readonly id: string
  /** Unique for ever, also among revoked ones: the log names it. */
  readonly name: string
  readonly roles: readonly Role[]
  readonly createdAt: number
  readonly createdBy: string
  readonly expiresAt: number | undefined
  readonly revokedAt: number | undefined
  readonly lastUsedAt: number | undefined
}

export interface TokenStore {
  /** @param draft - `hash` is the lower-case hex of the secret's SHA-256. @throws {RegistryError} `CONFLICT` for a name that was used */
  create(draft: {
    id: string
    name: string
    roles: readonly Role[]
    hash: string
    expiresAt: number | undefined
    createdBy: string
  }): Promise<Token>
  /** With its hash, also when it is revoked or expired. */
  find(id: string): Promise<(Token & { readonly hash: string }) | undefined>
  /** Oldest first. */
  list(): Promise<readonly Token[]>
  /**
   * By id or name; a second time changes nothing. @throws {RegistryError} 404 when there is none
   * @throws {InvalidInput} for the last valid token of an admin, without `evenLastAdmin`
   */
  revoke(idOrName: string, options?: { readonly evenLastAdmin?: boolean }): Promise<Token>
  /** Notes a use; the latest stays. */
  used(id: string, at: number): Promise<void>
  /** Whether one was ever made: from then on nobody is anonymous. */
  any(): Promise<boolean>
}

/** Who may move an alias, of every prompt. Without one: writers, promoters and admins, and no reason is asked for. */
export interface Policy {
  readonly alias: string
  readonly roles: readonly Role[]
  readonly reasonRequired: boolean
  readonly evidenceRequired: boolean
  /** Oldest run that is evidence, in milliseconds since it ended; `undefined`: any age. */
  readonly maxAgeMs: number | undefined
  readonly updatedAt: number
  readonly updatedBy: string
}

/** Who may change what an alias says where no policy speaks of it; no other role may, whatever a policy says. */
export const MOVERS: readonly Role[] = ['writer', 'promoter', 'admin']

export interface PolicyStore {
  /** By alias. */
  list(): Promise<readonly Policy[]>
  get(alias: string): Promise<Policy | undefined>
  set(policy: Omit<Policy, 'updatedAt' | 'updatedBy'>, author: Author): Promise<Policy>
  /** @returns Whether there was one. */
  remove(alias: string, author: Author): Promise<boolean>
}
