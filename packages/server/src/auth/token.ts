import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

/** What a token says: which one it is, and the secret that proves it. */
export interface TokenParts {
  readonly id: string
  readonly secret: string
}

const ID_LENGTH = 12
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'
/** 256 bits: nobody guesses them, however fast a guess is checked. */
const SECRET_BYTES = 32

const TOKEN = /^pk_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/
/** A whole token anywhere in a text. */
const WITHIN = /pk_[a-z0-9]{12}_[A-Za-z0-9_-]{43}/
/** A token, or one that was cut short, its underscores escaped or not. */
const PARTS_WITHIN = /pk(_|%(25)*5f)[a-z0-9]{12}(_|%(25)*5f)[a-z0-9_%-]{8,}/gi

/** A new token; `text` is shown once and kept nowhere. */
export function makeToken(random: (bytes: number) => Buffer = randomBytes): TokenParts & { text: string } {
  let id = ''
  while (id.length < ID_LENGTH)
    // Bytes of 252 and more are dropped: 256 is no multiple of 36, and no letter shall be likelier than another.
    for (const byte of random(ID_LENGTH))
      if (byte < 252 && id.length < ID_LENGTH) id += LETTERS[byte % LETTERS.length]
  const secret = random(SECRET_BYTES).toString('base64url')
  return { id, secret, text: `pk_${id}_${secret}` }
}

export function parseToken(text: string): TokenParts | undefined {
  const [, id, secret] = TOKEN.exec(text) ?? []
  return id === undefined || secret === undefined ? undefined : { id, secret }
}

/**
 * SHA-256 in lower-case hex, as it is stored. A slow hash (scrypt, argon2) makes guessing costly where people choose
 * the secret; this one has 256 random bits, which no speed exhausts, and it is hashed with every request.
 */
export const hashSecret = (secret: string): string => hash('sha256', secret, 'hex')

/** Compares two hashes in a time that says nothing of where they differ. */
export const sameHash = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'))

export const holdsToken = (text: string): boolean => WITHIN.test(text)

/** The text without the secrets of tokens, for logs. */
export const withoutTokens = (text: string): string =>
  text.includes('pk') ? text.replace(PARTS_WITHIN, 'pk_…') : text
