import { readFileSync } from 'node:fs'
import { digestOf, fingerprintOf } from '@promptkeep/client/protocol'
import { describe, expect, it } from 'vitest'

interface Vector {
  readonly what: string
  readonly content: {
    readonly template: string
    readonly model_config?: object
    readonly response_format?: object
  }
  readonly digest: string
}

const page = readFileSync(new URL('../docs/digest.md', import.meta.url), 'utf8')
const vectors = JSON.parse(/```json\n(.*?)```/s.exec(page)?.[1] ?? '') as Vector[]

describe('docs/digest.md', () => {
  it.each(vectors)('$what', async ({ content, digest }) => {
    const { template, model_config, response_format } = content
    const given = { template, modelConfig: model_config, responseFormat: response_format }
    expect(await digestOf(given as Parameters<typeof digestOf>[0])).toBe(digest)
  })

  it('no two vectors share a digest', () => {
    expect(new Set(vectors.map(({ digest }) => digest)).size).toBe(vectors.length)
    expect(vectors.length).toBeGreaterThan(5)
  })
})

describe('the fingerprint of a set', () => {
  const a = { name: 'a', version: 1, digest: 'd1' }
  const b = { name: 'B', version: 2, digest: 'd2' }

  it('does not depend on the order, and depends on everything else', async () => {
    const fingerprint = await fingerprintOf([a, b])
    expect(await fingerprintOf([b, a])).toBe(fingerprint)
    const others = [[a], [{ ...a, version: 2 }, b], [{ ...a, digest: 'd3' }, b], [{ ...a, name: 'c' }, b], []]
    const all = await Promise.all([fingerprint, ...others.map((set) => fingerprintOf(set))])
    expect(new Set(all).size).toBe(all.length)
  })
})
