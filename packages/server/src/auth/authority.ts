import type { Logger } from '@promptkeep/client/protocol'
import type { Principal, Token, TokenStore } from '../store/store.ts'
import { hashSecret, parseToken, sameHash } from './token.ts'

export type Verdict =
  | {
      readonly kind: 'good'
      readonly principal: Principal
      /** Of the secret. */
      readonly hash: string
    }
  /** The secret was right: who holds it may be told what became of the token. */
  | { readonly kind: 'revoked' | 'expired'; readonly name: string; readonly at: number }
  | { readonly kind: 'wrong' }

export interface Authority {
  /** Whether a token was ever made: from then on nobody is anonymous. @throws when the database does not answer */
  hasTokens(): Promise<boolean>
  judge(text: string): Promise<Verdict>
  /** Whether a principal that was good when its request began still is: for answers that go on for long. */
  stillGood(principal: Principal): Promise<boolean>
  /** This process made or revoked one: what is remembered of tokens holds no longer. */
  forget(): void
}

type Known = Token & { readonly hash: string }
interface Remembered {
  readonly token: Known
  readonly readAt: number
}

/** How long another process's token, or its revocation, may go unseen. */
const MEMORY_MS = 1000
const USED_EVERY_MS = 60_000
const MOST_REMEMBERED = 10_000
/** Compared with when there is no such token: a wrong id takes the same work as a wrong secret. */
const NO_HASH = '0'.repeat(64)

/**
 * Judges tokens, remembering each for a second at most.
 *
 * @param now - Milliseconds since the epoch, as tokens expire by.
 * @param elapsedMs - Milliseconds that only grow, for how long something is remembered.
 */
export function createAuthority(
  tokens: TokenStore,
  { log, now, elapsedMs }: { log: Logger; now: () => number; elapsedMs: () => number },
): Authority {
  const remembered = new Map<string, Remembered>()
  /** Thousands of streams ask at once whether their token is still good. */
  const reading = new Map<string, Promise<Known | undefined>>()
  const usedAt = new Map<string, number>()
  let any = false
  let askedAt = Number.NEGATIVE_INFINITY
  let asking: Promise<boolean> | undefined
  let generation = 0

  const isFresh = (readAt: number) => elapsedMs() - readAt < MEMORY_MS

  function ask(): Promise<boolean> {
    if (asking) return asking
    const asked = askStore().finally(() => {
      if (asking === asked) asking = undefined
    })
    asking = asked
    return asked
  }

  async function askStore(): Promise<boolean> {
    const began = generation
    const found = await tokens.any()
    any ||= found
    if (began === generation) askedAt = elapsedMs()
    return any
  }

  function find(id: string): Known | Promise<Known | undefined> {
    const known = remembered.get(id)
    if (known && isFresh(known.readAt)) return known.token
    const under = reading.get(id)
    if (under) return under
    const read = readStore(id).finally(() => {
      if (reading.get(id) === read) reading.delete(id)
    })
    reading.set(id, read)
    return read
  }

  async function readStore(id: string): Promise<Known | undefined> {
    const began = generation
    const readAt = elapsedMs()
    const token = await tokens.find(id)
    // A token that was revoked while it was read must not be remembered as it was before.
    if (began !== generation) return token
    remembered.delete(id)
    if (token) {
      if (remembered.size >= MOST_REMEMBERED) remembered.clear()
      remembered.set(id, { token, readAt })
    }
    return token
  }

  /** Nobody waits for it, and nothing fails with it: it is only for people who look at the list. */
  function noteUse({ id, lastUsedAt }: Known, at: number): void {
    const last = usedAt.get(id) ?? lastUsedAt
    if (last !== undefined && at >= last && at - last < USED_EVERY_MS) return
    if (usedAt.size >= MOST_REMEMBERED) usedAt.clear()
    usedAt.set(id, at)
    tokens.used(id, at).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error)
      log.debug({ tokenId: id, err: { message } }, 'token.use_not_noted')
    })
  }

  const endOf = ({ revokedAt, expiresAt }: Token, at: number) =>
    revokedAt !== undefined
      ? ({ kind: 'revoked', at: revokedAt } as const)
      : expiresAt !== undefined && at >= expiresAt
        ? ({ kind: 'expired', at: expiresAt } as const)
        : undefined

  return {
    // `any` never turns false again: tokens are revoked, not deleted.
    hasTokens: async () => any || (isFresh(askedAt) ? any : ask()),

    async judge(text) {
      const parts = parseToken(text)
      const given = hashSecret(parts?.secret ?? text)
      const token = parts && (await find(parts.id))
      const isSame = sameHash(given, token?.hash ?? NO_HASH)
      if (!token || !isSame) return { kind: 'wrong' }
      const at = now()
      const { id, name, roles, hash } = token
      const ended = endOf(token, at)
      if (ended) return { ...ended, name }
      noteUse(token, at)
      return { kind: 'good', principal: { actor: name, roles, tokenId: id }, hash }
    },

    async stillGood({ tokenId }) {
      if (tokenId === undefined) return !(any || (isFresh(askedAt) ? any : await ask()))
      const token = await find(tokenId)
      return token !== undefined && endOf(token, now()) === undefined
    },

    forget() {
      generation++
      remembered.clear()
      reading.clear()
      asking = undefined
      askedAt = Number.NEGATIVE_INFINITY
    },
  }
}
