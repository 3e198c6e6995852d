import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { sha256 } from './digest.ts'
import type { Json } from './prompt.ts'

const hash = async (text: string) =>
  Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).toString('hex')

it('hashes the bytes that another implementation of RFC 8785 writes', async () => {
  const json = fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' }) as fc.Arbitrary<Json>
  await fc.assert(
    fc.asyncProperty(json, async (value) => {
      expect(await sha256(value)).toBe(await hash(canonicalize(value) as string))
    }),
    { numRuns: 2_000 },
  )
})

it('sorts keys by code units, and leaves out what is undefined', async () => {
  const keys = { '\ufb33': 1, '\u{1f600}': 2, é: 3, '\r': 4, 1: 5 }
  expect(await sha256({ ...keys, gone: undefined } as unknown as Json)).toBe(
    await hash(canonicalize(keys) as string),
  )
})
