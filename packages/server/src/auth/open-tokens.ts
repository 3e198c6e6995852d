import { openStore } from '../store/open-store.ts'
import type { Token } from '../store/store.ts'
import { createToken, type NewToken, type TokenDraft, tokenNamed } from './create-token.ts'

/** The tokens of a database, for who may open it: to make the first one, and to get in again when all are lost. */
export interface Tokens {
  /** @throws {InvalidInput} @throws {RegistryError} `CONFLICT` for a name that was used */
  create(draft: TokenDraft): Promise<NewToken>
  /** Oldest first, with those that are revoked or expired. */
  list(): Promise<readonly Token[]>
  /** By id or name, also the last admin's. A server sees it within a second. @throws {RegistryError} 404 */
  revoke(idOrName: string): Promise<Token>
  close(): Promise<void>
}

/**
 * Opens the tokens of a database directly, while a server runs on it or not; what it makes is made by `system`.
 *
 * @param url - As `openStore` takes it. @throws {SqlError} in words for the person who wrote the URL
 */
export async function openTokens(url: string, { now = Date.now } = {}): Promise<Tokens> {
  const { tokens, close } = await openStore(url, { now })
  return {
    create: (draft) => createToken(tokens, draft, { createdBy: 'system', now: now() }),
    list: () => tokens.list(),
    revoke: (idOrName) => tokens.revoke(tokenNamed(idOrName), { evenLastAdmin: true }),
    close,
  }
}
