import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { hashSecret, holdsToken, makeToken, parseToken, sameHash, withoutTokens } from './token.ts'

const ZEROS = (bytes: number) => Buffer.alloc(bytes)
const SECRET = 'A'.repeat(43)

describe('a token', () => {
  it('is its id and 32 random bytes', () => {
    expect(makeToken(ZEROS)).toEqual({
      id: 'aaaaaaaaaaaa',
      secret: SECRET,
      text: `pk_aaaaaaaaaaaa_${SECRET}`,
    })
    const made = makeToken()
    expect(Buffer.from(made.secret, 'base64url')).toHaveLength(32)
    expect(parseToken(made.text)).toEqual({ id: made.id, secret: made.secret })
    expect(makeToken().text).not.toBe(made.text)
  })
  it('draws every letter of its id alike: bytes that would favour some are drawn again', () => {
    const drawn = [Buffer.alloc(12, 255), Buffer.from([252, 253, 254, 255, 0, 1, 2, 35, 36, 71, 72, 251])]
    const random = (bytes: number) => drawn.shift() ?? Buffer.alloc(bytes, 8)
    expect(makeToken(random).id).toBe('abc9a9a9iiii')
  })
  it.each([
    '',
    'pk_',
    'pk_aaaaaaaaaaaa_',
    `pk_aaaaaaaaaaa_${SECRET}`,
    `pk_Aaaaaaaaaaaa_${SECRET}`,
    `pk_aaaaaaaaaaaa_${SECRET}A`,
    `pk_aaaaaaaaaaaa_${SECRET.slice(1)}=`,
    ` pk_aaaaaaaaaaaa_${SECRET}`,
    `pk_aaaaaaaaaaaa_${SECRET}\n`,
  ])('is not %j', (text) => {
    expect(parseToken(text)).toBeUndefined()
  })
  it('is stored as the SHA-256 of its secret', () => {
    expect(hashSecret(SECRET)).toBe(createHash('sha256').update(SECRET).digest('hex'))
    expect(sameHash(hashSecret('a'), hashSecret('a'))).toBe(true)
    expect(sameHash(hashSecret('a'), hashSecret('b'))).toBe(false)
    expect(sameHash(hashSecret('a'), 'short')).toBe(false)
  })
  it('is found in a longer text, and taken out of it, also when it is cut short', () => {
    const { text, secret } = makeToken()
    expect(holdsToken(`/a/${text}/b`)).toBe(true)
    expect(holdsToken('/a/pk_nothing')).toBe(false)
    expect(withoutTokens(`/a/${text}/b`)).toBe('/a/pk_…/b')
    expect(withoutTokens(`/x?t=${text.slice(0, 40)}&${text}`)).not.toContain(secret.slice(0, 10))
    const escaped = text.replaceAll('_', '%5F').replaceAll('%', '%25')
    expect(withoutTokens(`/a/${escaped}`)).toBe('/a/pk_…')
    expect(withoutTokens('/plain/pk_short')).toBe('/plain/pk_short')
  })
})
