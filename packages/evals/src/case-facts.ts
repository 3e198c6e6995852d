import { z } from 'zod'
import type { Case } from './dataset.ts'

/*
 * What a gate must know of cases beside their scores: how much each counts, which belong together, and which slices there
 * are. It is logged with a run, so that two runs can be judged where the dataset is not at hand.
 */

/** As much of a case as its gates read. */
export type CaseFacts = Pick<Case, 'id' | 'weight' | 'cluster' | 'tags'>

const FACTS = 'promptkeep.facts.'
/** MLflow cuts a tag at 8,000 characters. */
const TEXT_PER_TAG = 7_500

/** By weight, cluster and tag, the places of the cases that have it. */
const Facts = z.object({
  weights: z.record(z.string(), z.array(z.int())).default({}),
  clusters: z.record(z.string(), z.array(z.int())).default({}),
  tags: z.record(z.string(), z.array(z.int())).default({}),
})

/** As tags of a run; none where every case is an ordinary one. */
export function factTags(cases: readonly CaseFacts[]): Record<string, string> {
  const places = (keysOf: (one: CaseFacts) => readonly (string | number)[]) => {
    const found = new Map<string, number[]>()
    for (const [place, one] of cases.entries())
      for (const key of new Set(keysOf(one).map(String))) found.set(key, [...(found.get(key) ?? []), place])
    return found.size === 0 ? undefined : Object.fromEntries(found)
  }
  const facts = {
    weights: places(({ weight = 1 }) => (weight === 1 ? [] : [weight])),
    clusters: places(({ cluster }) => (cluster === undefined ? [] : [cluster])),
    tags: places(({ tags = [] }) => tags),
  }
  if (Object.values(facts).every((one) => one === undefined)) return {}
  // In ASCII, so that no character is cut in two.
  const text = JSON.stringify(facts).replace(
    /[\u0080-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  const parts = Math.ceil(text.length / TEXT_PER_TAG)
  return Object.fromEntries(
    Array.from({ length: parts }, (_, i) => [
      `${FACTS}${i}`,
      text.slice(i * TEXT_PER_TAG, (i + 1) * TEXT_PER_TAG),
    ]),
  )
}

/**
 * The facts of a run's cases.
 * @param ids - As the run says them, in the dataset's order.
 * @returns `undefined` when what is logged cannot be read.
 */
export function readFacts(
  tags: Readonly<Record<string, string>>,
  ids: readonly string[],
): readonly CaseFacts[] | undefined {
  let text = ''
  for (let i = 0; tags[`${FACTS}${i}`] !== undefined; i++) text += tags[`${FACTS}${i}`]
  if (text === '') return ids.map((id) => ({ id }))
  const facts = parse(text)
  if (!facts) return undefined
  const weights = byPlace(facts.weights)
  const clusters = byPlace(facts.clusters)
  const slices = byPlace(facts.tags)
  return ids.map((id, place) => {
    const weight = weights.get(place)?.[0]
    const cluster = clusters.get(place)?.[0]
    return {
      id,
      ...(weight === undefined ? {} : { weight: Number(weight) }),
      ...(cluster === undefined ? {} : { cluster }),
      ...(slices.has(place) ? { tags: slices.get(place) as string[] } : {}),
    }
  })
}

function parse(text: string): z.infer<typeof Facts> | undefined {
  try {
    return Facts.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

function byPlace(places: Readonly<Record<string, readonly number[]>>): Map<number, string[]> {
  const keys = new Map<number, string[]>()
  for (const [key, all] of Object.entries(places))
    for (const place of all) keys.set(place, [...(keys.get(place) ?? []), key])
  return keys
}
