import { InvalidInput, ROLES, type Role, refuse } from '@promptkeep/client/protocol'
import type { Token, TokenStore } from '../store/store.ts'
import { hashSecret, holdsToken, makeToken, parseToken } from './token.ts'

export interface TokenDraft {
  readonly name: string
  readonly roles: readonly string[]
  /** From now; absent: it does not expire. */
  readonly expiresInSeconds?: number | undefined
}

/** A token as it is shown to who made it. */
export interface NewToken {
  readonly token: Token
  /** What is sent with requests; nobody can tell it a second time. */
  readonly text: string
}

/** Actors that are no token: everybody on a server without tokens, and who has the database. */
const RESERVED = ['anonymous', 'system']
export const TOKEN_NAME = /^[A-Za-z0-9_.@-]{1,64}$/
export const LONGEST_SECONDS = 10 * 365 * 24 * 3600

/** Makes a token. @throws {InvalidInput} @throws {RegistryError} `CONFLICT` for a name that was used */
export async function createToken(
  tokens: TokenStore,
  { name, roles, expiresInSeconds }: TokenDraft,
  { createdBy, now }: { createdBy: string; now: number },
): Promise<NewToken> {
  checkTokenName(name)
  const given = checkRoles(roles)
  if (expiresInSeconds !== undefined) checkLife(expiresInSeconds)
  const { id, secret, text } = makeToken()
  const token = await tokens.create({
    id,
    name,
    roles: given,
    hash: hashSecret(secret),
    expiresAt: expiresInSeconds === undefined ? undefined : now + expiresInSeconds * 1000,
    createdBy,
  })
  return { token, text }
}

/** Which token a person means, by name, by id, or by pasting the whole of a burnt one, which is not repeated then. */
export const tokenNamed = (text: string): string => parseToken(text.trim())?.id ?? text

function checkTokenName(name: string): void {
  if (holdsToken(name))
    throw new InvalidInput('name holds a token: a name is shown to everybody, choose another')
  if (!TOKEN_NAME.test(name)) refuse('name', name, '1 to 64 letters, digits, "_", ".", "@" and "-"')
  if (RESERVED.includes(name.toLowerCase()))
    refuse('name', name, `another name than ${RESERVED.join(' and ')}, which the log uses for others`)
}

function checkRoles(roles: readonly string[]): readonly Role[] {
  const allowed = ROLES.join(', ')
  if (roles.length === 0) throw new InvalidInput(`roles must be one or more of ${allowed}; got none`)
  for (const role of roles)
    if (!(ROLES as readonly string[]).includes(role)) refuse('roles', role, `one or more of ${allowed}`)
  return ROLES.filter((role) => roles.includes(role))
}

function checkLife(seconds: number): void {
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > LONGEST_SECONDS)
    refuse('expires_in_seconds', seconds, `a whole number from 1 to ${LONGEST_SECONDS} (ten years)`)
}
