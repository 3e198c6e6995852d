import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { murmur3 } from './murmur3.ts'
import {
  checkWeights,
  chooseVersion,
  mainVersion,
  readRollout,
  type Weights,
  writeRollout,
} from './rollout.ts'

interface Vectors {
  readonly murmur3: readonly { readonly hex: string; readonly seed: number; readonly hash: number }[]
  readonly versions: readonly (readonly [
    salt: string,
    key: string,
    weights: Readonly<Record<string, number>>,
    version: number,
  ])[]
}

const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../../tests/vectors/rollout.json', import.meta.url), 'utf8'),
)
const weightsOf = (shares: Readonly<Record<string, number>>): Weights =>
  new Map(Object.entries(shares).map(([version, share]) => [Number(version), share]))

/** Each property is run so often, on the same inputs each time. */
const RUNS = { numRuns: 10_000, seed: 20_261_123 }
const SALT = 'memory@production'
const KEY = 'promptkeep.rollout.production'

const version = fc.integer({ min: 1, max: 2_147_483_647 })
const key = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.uuid(), fc.nat().map(String))

/** Shares of 2 to 6 versions, in hundredths of a percent, 100 in all. */
const split = fc
  .tuple(
    fc.uniqueArray(version, { minLength: 2, maxLength: 6 }),
    fc.uniqueArray(fc.integer({ min: 1, max: 9999 }), { minLength: 5, maxLength: 5 }),
  )
  .map(([versions, cuts]): Weights => {
    const edges = cuts
      .slice(0, versions.length - 1)
      .sort((a, b) => a - b)
      .concat(10_000)
    return new Map(versions.map((one, i) => [one, ((edges[i] ?? 0) - (edges[i - 1] ?? 0)) / 100]))
  })

describe('the vectors of docs/rollouts.md', () => {
  it('are 2,000, with every kind of difficulty among them', () => {
    expect(vectors.versions).toHaveLength(2000)
    const keys = vectors.versions.map(([, key]) => key)
    expect(keys).toContain('')
    expect(keys.some((one) => one.includes('\n'))).toBe(true)
    expect(keys.some((one) => /[^\p{L}\p{N}\s]\p{Cs}|^\p{Cs}/u.test(one))).toBe(true)
    expect(vectors.versions.some(([, , shares]) => Object.values(shares).includes(0))).toBe(true)
    expect(vectors.versions.some(([, , shares]) => Object.keys(shares).length === 20)).toBe(true)
  })

  it('hash as they say', () => {
    for (const { hex, seed, hash } of vectors.murmur3)
      expect(murmur3(Uint8Array.from(Buffer.from(hex, 'hex')), seed)).toBe(hash)
  })

  it('choose as they say, in whatever order the weights come', () => {
    for (const [salt, key, shares, chosen] of vectors.versions) {
      const weights = weightsOf(shares)
      expect(chooseVersion(weights, key, salt)).toBe(chosen)
      expect(chooseVersion(new Map([...weights].reverse()), key, salt)).toBe(chosen)
    }
  })

  it('leave nothing to the last bit of a logarithm: the lowest scores are apart, or equal', () => {
    let ties = 0
    for (const [salt, key, shares] of vectors.versions) {
      const [first = 0, second = Number.POSITIVE_INFINITY] = [...weightsOf(shares)]
        .filter(([, weight]) => weight > 0)
        .map(([one, weight]) => {
          const hash = murmur3(new TextEncoder().encode(`${salt}\n${key}\n${one}`))
          return -Math.log((hash + 0.5) / 2 ** 32) / weight
        })
        .sort((a, b) => a - b)
      if (first === second) ties++
      else expect(second / first).toBeGreaterThan(1 + 1e-9)
    }
    expect(ties).toBeGreaterThan(0)
  })
})

describe('a rollout tag', () => {
  it.each<[string, number, Record<string, number>]>([
    ['{"6":10}', 5, { 5: 90, 6: 10 }],
    ['{"6":10,"7":0.01}', 5, { 5: 89.99, 6: 10, 7: 0.01 }],
    ['{"6":33.33,"7":33.33}', 5, { 5: 33.34, 6: 33.33, 7: 33.33 }],
    ['{"6":100}', 5, { 5: 0, 6: 100 }],
    [' {"1":1e1} ', 2_147_483_647, { 1: 10, 2147483647: 90 }],
  ])('%s on version %i', (text, own, shares) => {
    expect(readRollout({ [KEY]: text }, 'production', own)).toEqual(weightsOf(shares))
  })

  it.each([
    ...['', '{}', '[]', 'null', '10', '"6"', '{"6":10', '[{"6":10}]', '{"6":"10"}', '{"6":null}'],
    ...['{"6":0}', '{"6":-1}', '{"6":100.01}', '{"6":10.001}', '{"6":1e400}', '{"6":60,"7":40.01}'],
    ...['{"5":10}', '{"06":10}', '{"v6":10}', '{"6.0":10}', '{"0":10}', '{"-6":10}', '{"2147483648":10}'],
    JSON.stringify(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [i + 10, 1]))),
  ])('that says %s is no rollout', (text) => {
    expect(readRollout({ [KEY]: text }, 'production', 5)).toBeUndefined()
  })

  it('is that of one alias', () => {
    expect(readRollout({ [KEY]: '{"6":10}' }, 'prod', 5)).toBeUndefined()
    expect(readRollout({}, 'production', 5)).toBeUndefined()
  })

  it('never throws, and what it reads sums to 100', () => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.dictionary(fc.nat({ max: 30 }).map(String), fc.double()).map((it) => JSON.stringify(it)),
      fc.dictionary(fc.nat({ max: 30 }).map(String), fc.nat({ max: 60 })).map((it) => JSON.stringify(it)),
    )
    let read = 0
    fc.assert(
      fc.property(text, version, (text, own) => {
        const weights = readRollout({ [KEY]: text }, 'production', own)
        if (!weights) return
        read++
        expect(sumOf(weights)).toBe(10_000)
        expect(weights.get(own)).toBeGreaterThanOrEqual(0)
        expect(weights.size).toBeGreaterThan(1)
      }),
      RUNS,
    )
    expect(read).toBeGreaterThan(100)
  })

  it('is read as it was written, from whichever version', () => {
    fc.assert(
      fc.property(split, fc.nat(5), (weights, i) => {
        const own = [...weights.keys()][i % weights.size] ?? 0
        const text = writeRollout(weights, own) ?? ''
        expect(readRollout({ [KEY]: text }, 'production', own)).toEqual(weights)
      }),
      RUNS,
    )
    expect(writeRollout(new Map([[5, 100]]), 5)).toBeUndefined()
    expect(writeRollout(checkWeights({ 6: 10, 5: 90 }), 5)).toBe('{"6":10}')
    expect(writeRollout(new Map([[5, 100]]), 6)).toBe('{"5":100}')
  })
})

/** In hundredths, so that it is exact. */
const sumOf = (weights: Weights) =>
  [...weights.values()].reduce((sum, share) => sum + Math.round(share * 100), 0)

describe('weights to set', () => {
  it.each<[object, number[][]]>([
    [
      { 6: 10, 5: 90 },
      [
        [5, 90],
        [6, 10],
      ],
    ],
    [
      new Map([
        [6, 10.5],
        [5, 89.5],
      ]),
      [
        [5, 89.5],
        [6, 10.5],
      ],
    ],
    [{ 6: 100 }, [[6, 100]]],
    [
      { 1: 0.1, 2: 0.2, 3: 99.7 },
      [
        [1, 0.1],
        [2, 0.2],
        [3, 99.7],
      ],
    ],
  ])('%j are taken, in the order of the versions', (given, checked) => {
    expect([...checkWeights(given)]).toEqual(checked)
  })

  it.each<[unknown, string]>([
    [undefined, 'weights must be an object of shares in percent by version, such as { 5: 90, 6: 10 }'],
    [[90, 10], 'weights must be an object'],
    ['5=90', 'weights must be an object'],
    [{}, 'must sum to 100 percent; they sum to 0'],
    [{ 5: 90 }, 'they sum to 90'],
    [{ 5: 90, 6: 10.01 }, 'they sum to 100.01'],
    [{ 5: 100, 6: 0 }, 'the share of version 6 must be a number above 0'],
    [{ 5: '90', 6: 10 }, 'the share of version 5 must be a number'],
    [{ 5: Number.NaN, 6: 10 }, 'the share of version 5 must be a number'],
    [{ 5: 89.999, 6: 10.001 }, 'with at most two decimals; got 89.999'],
    [{ production: 90, 6: 10 }, 'a version must be a whole number'],
    [{ '05': 90, 6: 10 }, 'a version must be a whole number'],
    [{ 2147483648: 90, 6: 10 }, 'a version must be a whole number'],
    [new Map([['5', {}]]), 'the share of version 5'],
    [Object.fromEntries(Array.from({ length: 25 }, (_, i) => [i + 1, 4])), 'at most 20 versions'],
  ])('%j are refused', (given, message) => {
    expect(() => checkWeights(given)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }))
    expect(() => checkWeights(given)).toThrow(message)
  })

  it('the alias stays where it has a share, else it goes to the largest, of equal ones the lowest', () => {
    const weights = checkWeights({ 5: 10, 6: 45, 7: 45 })
    expect(mainVersion(weights, 5)).toBe(5)
    expect(mainVersion(weights, 7)).toBe(7)
    expect(mainVersion(weights, 4)).toBe(6)
    expect(mainVersion(weights, undefined)).toBe(6)
  })
})

describe('the version of a key', () => {
  it('is the same each time, is one with a share, and does not depend on the order of the weights', () => {
    fc.assert(
      fc.property(split, key, (weights, key) => {
        const chosen = chooseVersion(weights, key, SALT)
        expect(weights.get(chosen)).toBeGreaterThan(0)
        expect(chooseVersion(new Map([...weights].reverse()), key, SALT)).toBe(chosen)
      }),
      RUNS,
    )
  })

  it('a version with a weight of 0 never gets it', () => {
    fc.assert(
      fc.property(key, version, (key, own) => {
        const other = own === 1 ? 2 : 1
        const weights = new Map([
          [own, 0],
          [other, 100],
        ])
        expect(chooseVersion(weights, key, SALT)).toBe(other)
      }),
      RUNS,
    )
  })

  it('half of a surrogate pair counts as U+FFFD', () => {
    const weights = checkWeights({ 1: 50, 2: 50 })
    for (let i = 0; i < 100; i++)
      for (const half of ['\ud800', '\udfff'])
        expect(chooseVersion(weights, `${half}${i}`, SALT)).toBe(chooseVersion(weights, `\ufffd${i}`, SALT))
  })

  it('changes only for one whose weight rose against that of the one before', () => {
    let moved = 0
    fc.assert(
      fc.property(
        split,
        split,
        fc.array(fc.nat(6), { minLength: 6, maxLength: 6 }),
        key,
        (a, b, same, key) => {
          // Most of the versions after are some of those before.
          const known = [...a.keys()]
          const after = new Map([...b].map(([one, share], i) => [known[same[i] ?? 6] ?? one, share]))
          const from = chooseVersion(a, key, SALT)
          const to = chooseVersion(after, key, SALT)
          if (from === to) return
          moved++
          const [was, is] = [a.get(from) ?? 0, after.get(from) ?? 0]
          expect((after.get(to) ?? 0) * was).toBeGreaterThan((a.get(to) ?? 0) * is)
        },
      ),
      RUNS,
    )
    expect(moved).toBeGreaterThan(1000)
  })

  it('a version that is added takes keys and moves no other; one that is removed gives up its own only', () => {
    let taken = 0
    fc.assert(
      fc.property(split, version, fc.integer({ min: 1, max: 100 }), key, (weights, added, share, key) => {
        fc.pre(!weights.has(added))
        // Only ratios count: the others keep theirs.
        const before = chooseVersion(weights, key, SALT)
        const after = chooseVersion(new Map([...weights, [added, share]]), key, SALT)
        if (after === added) taken++
        else expect(after).toBe(before)
      }),
      RUNS,
    )
    expect(taken).toBeGreaterThan(1000)
  })
})

/**
 * How many of n keys, each with probability p, an ideal hash may give: outside of this once in a hundred million. The keys
 * are fixed, so that a test passes always or never.
 */
function expectBinomial(count: number, n: number, p: number): void {
  const slack = 5.73 * Math.sqrt(n * p * (1 - p)) + 1
  expect(Math.abs(count - n * p)).toBeLessThanOrEqual(slack)
}

const KEYS = 20_000
const families: Readonly<Record<string, (i: number) => string>> = {
  'user-<n>': (i) => `user-${i}`,
  numbers: String,
  'numbers of one length': (i) => String(i).padStart(12, '0'),
  addresses: (i) => `${i}@example.org`,
  'UUIDs that count': (i) => `${i.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`,
}
const chosenOf = (weights: Weights, keyOf: (i: number) => string, salt = SALT) =>
  Array.from({ length: KEYS }, (_, i) => chooseVersion(weights, keyOf(i), salt))

describe.each(Object.entries(families))('over 20,000 keys: %s', (_, keyOf) => {
  it.each([
    { 5: 90, 6: 10 },
    { 9: 99, 10: 1 },
    { 1: 50, 2: 50 },
    { 3: 33.33, 4: 33.33, 5: 33.34 },
    { 99: 70, 100: 20, 101: 9.5, 102: 0.5 },
  ])('shares are as %j says', (shares) => {
    const chosen = chosenOf(weightsOf(shares), keyOf)
    for (const [version, share] of Object.entries(shares))
      expectBinomial(chosen.filter((one) => one === Number(version)).length, KEYS, share / 100)
  })

  it('other prompts and aliases are independent', () => {
    const weights = weightsOf({ 5: 80, 6: 20 })
    const here = chosenOf(weights, keyOf)
    for (const salt of ['memory@staging', 'memory2@production', 'greeter@production']) {
      const there = chosenOf(weights, keyOf, salt)
      expectBinomial(here.filter((one, i) => one === 6 && there[i] === 6).length, KEYS, 0.04)
    }
  })

  it.each<[string, Record<string, number>, Record<string, number>]>([
    ['a share grows', { 5: 90, 6: 10 }, { 5: 50, 6: 50 }],
    ['one is added to two in their ratio', { 5: 60, 6: 40 }, { 5: 54, 6: 36, 7: 10 }],
    ['one of three is removed', { 5: 54, 6: 36, 7: 10 }, { 5: 60, 6: 40 }],
    ['one of three grows, the others keep their ratio', { 5: 60, 6: 30, 7: 10 }, { 5: 40, 6: 20, 7: 40 }],
    ['all goes to another', { 5: 100 }, { 6: 100 }],
    ['nothing changes', { 5: 60, 6: 40 }, { 5: 60, 6: 40 }],
  ])('%s: exactly the share of keys moves that must', (_, before, after) => {
    const [a, b] = [chosenOf(weightsOf(before), keyOf), chosenOf(weightsOf(after), keyOf)]
    const versions = new Set([...Object.keys(before), ...Object.keys(after)])
    const least = [...versions].reduce(
      (sum, one) => sum + Math.max(0, (after[one] ?? 0) - (before[one] ?? 0)) / 100,
      0,
    )
    expectBinomial(a.filter((one, i) => one !== b[i]).length, KEYS, least)
  })

  it.each<[Record<string, number>, Record<string, number>]>([
    [
      { 5: 80, 6: 10, 7: 10 },
      { 5: 60, 6: 30, 7: 10 },
    ],
    [
      { 5: 50, 6: 30, 7: 20 },
      { 5: 20, 6: 30, 7: 50 },
    ],
    [
      { 5: 70, 6: 20, 7: 5, 8: 5 },
      { 5: 10, 6: 20, 8: 30, 9: 40 },
    ],
  ])('from %j to %j no more moves than is said, less than twice the least', (before, after) => {
    const versions = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    const [x, y] = [before, after].map((shares) => versions.map((one) => (shares[one] ?? 0) / 100)) as [
      number[],
      number[],
    ]
    const stay = versions.reduce((sum, _, i) => {
      const [xi = 0, yi = 0] = [x[i], y[i]]
      if (xi === 0 || yi === 0) return sum
      return sum + 1 / versions.reduce((all, _, j) => all + Math.max((x[j] ?? 0) / xi, (y[j] ?? 0) / yi), 0)
    }, 0)
    const least = x.reduce((sum, one, i) => sum + Math.max(0, (y[i] ?? 0) - one), 0)
    expect(1 - stay).toBeLessThan(2 * least)
    const [a, b] = [chosenOf(weightsOf(before), keyOf), chosenOf(weightsOf(after), keyOf)]
    expectBinomial(a.filter((one, i) => one !== b[i]).length, KEYS, 1 - stay)
  })
})
