import { checkVersion } from './check-names.ts'
import { InvalidInput } from './errors.ts'
import { murmur3 } from './murmur3.ts'
import { refuse } from './refuse.ts'
import { TAG } from './wire-keys.ts'

/** What docs/rollouts.md describes for all languages: it cannot change, or keys move between versions. */

/** Share of each version in percent, with at most two decimals; they sum to 100. */
export type Weights = ReadonlyMap<number, number>

/** Every load with a key hashes once for each. */
const MAX_VERSIONS = 20

const utf8 = new TextEncoder()

/**
 * The rollout of an alias, from the tags of the version that it points at.
 * @param own - That version: it has what the others leave, which may be 0.
 * @returns `undefined` where there is none, and where the tag cannot be read: then the alias says this version alone
 */
export function readRollout(
  tags: Readonly<Record<string, string>>,
  alias: string,
  own: number,
): Weights | undefined {
  const text = tags[`${TAG.rolloutPrefix}${alias}`]
  if (text === undefined) return undefined
  try {
    const others: unknown = JSON.parse(text)
    if (typeof others !== 'object' || others === null || Array.isArray(others)) return undefined
    return withRest(Object.entries(others), own)
  } catch {
    return undefined
  }
}

function withRest(others: readonly (readonly [string, unknown])[], own: number): Weights | undefined {
  const weights = new Map<number, number>()
  let rest = 10_000 // in hundredths: sums of decimals would not be exact
  for (const [key, share] of others) {
    const version = Number(key)
    if (!/^[1-9]\d*$/.test(key) || version > 2_147_483_647 || version === own || !isShare(share))
      return undefined
    weights.set(version, share)
    rest -= Math.round(share * 100)
  }
  if (rest < 0 || weights.size === 0 || weights.size >= MAX_VERSIONS) return undefined
  return weights.set(own, rest / 100)
}

const isShare = (share: unknown): share is number =>
  typeof share === 'number' && share > 0 && share <= 100 && Math.round(share * 100) / 100 === share

/**
 * The version for a key: the same in every process and language. Each version draws a time from the exponential
 * distribution of its weight, by a hash that depends on nothing else, and the first wins: so a version's weight has no
 * influence on the order of the others, and only keys that must move do.
 *
 * @param weights - At least one is above 0. Only their ratios count.
 * @param salt - The prompt's name, `@` and the alias. Without a line feed, so that no two (salt, key) make one text.
 */
export function chooseVersion(weights: Weights, key: string, salt: string): number {
  let chosen = 0
  let lowest = Number.POSITIVE_INFINITY // also the score of a weight of 0, which never wins
  for (const [version, weight] of weights) {
    const hash = murmur3(utf8.encode(`${salt}\n${key}\n${version}`))
    const score = -Math.log((hash + 0.5) / 2 ** 32) / weight
    if (score < lowest || (score === lowest && version < chosen)) {
      chosen = version
      lowest = score
    }
  }
  return chosen
}

/** @returns What the tag on version `own` says: the shares of the others. `undefined`: it has all, and no tag */
export function writeRollout(weights: Weights, own: number): string | undefined {
  const others = [...weights].filter(([version, share]) => version !== own && share > 0)
  return others.length === 0 ? undefined : JSON.stringify(Object.fromEntries(others))
}

/**
 * The version that the alias points at while it has these weights, and that who loads without a key gets: where it is now
 * if that is among them, else the largest share, else of equal ones the lowest number.
 */
export function mainVersion(weights: Weights, current: number | undefined): number {
  if (current !== undefined && weights.has(current)) return current
  const [[main] = [0]] = [...weights].sort(([a, one], [b, other]) => other - one || a - b)
  return main
}

/**
 * @param weights - An object or a map of shares by version, each above 0.
 * @returns them in the order of the versions
 * @throws {InvalidInput} naming the version or the sum that is wrong
 */
export function checkWeights(weights: unknown, field = 'weights'): Weights {
  const isObject = typeof weights === 'object' && weights !== null && !Array.isArray(weights)
  if (!isObject) refuse(field, weights, 'an object of shares in percent by version, such as { 5: 90, 6: 10 }')
  const given = weights instanceof Map ? [...weights] : Object.entries(weights as object)
  const checked = given.map(([key, share]) => {
    const version = typeof key === 'string' && /^[1-9]\d*$/.test(key) ? Number(key) : key
    checkVersion(version, `${field}: a version`)
    if (!isShare(share))
      refuse(
        `${field}: the share of version ${version}`,
        share,
        'a number above 0 and at most 100, with at most two decimals',
      )
    return [version, share] as const
  })
  if (checked.length > MAX_VERSIONS)
    throw new InvalidInput(
      `${field}: at most ${MAX_VERSIONS} versions can share an alias; got ${checked.length}`,
    )
  const sum = checked.reduce((all, [, share]) => all + Math.round(share * 100), 0) / 100
  if (sum !== 100) throw new InvalidInput(`${field}: the shares must sum to 100 percent; they sum to ${sum}`)
  return new Map(checked.sort(([a], [b]) => a - b))
}
