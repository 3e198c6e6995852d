import { type QueryTerms, termsOf } from './terms.ts'

/**
 * The share of a query that a memory covers to answer it; a weak word counts a quarter. One word of three is chance
 * ("coffee machine repair" and a taste for coffee), and so is one of two weak ones ("morning news" and a morning run).
 */
const FLOOR = 0.25
const LONG_QUERY = { strongTerms: 3, floor: 0.34 } as const
const WEAK_ONLY_FLOOR = 0.51
const WEAK_WEIGHT = 0.25

/**
 * How much of a query a text covers. BM25 alone has no floor: with five memories its numbers are near zero for the
 * best of hits. So a hit must cover a share of the query's own words, and one of the strong ones where there are any.
 *
 * @returns 0…1, or `undefined` when the text does not answer the query.
 */
export function relevanceOf(
  text: string,
  { strong, weak }: Pick<QueryTerms, 'strong' | 'weak'>,
): number | undefined {
  const has = new Set(termsOf(text))
  const strongHits = strong.filter((term) => has.has(term)).length
  if (strong.length > 0 && strongHits === 0) return undefined
  const weakHits = weak.filter((term) => has.has(term)).length
  const covered = (strongHits + WEAK_WEIGHT * weakHits) / (strong.length + WEAK_WEIGHT * weak.length)
  return covered >= floorOf(strong) ? covered : undefined
}

function floorOf(strong: readonly string[]): number {
  if (strong.length === 0) return WEAK_ONLY_FLOOR
  return strong.length >= LONG_QUERY.strongTerms ? LONG_QUERY.floor : FLOOR
}
