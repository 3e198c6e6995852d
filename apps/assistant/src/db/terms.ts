/// <reference path="./stopword.d.ts" />
import { stemmer } from 'stemmer'
import * as stopword from 'stopword'

/** What a search asks for, word by word. All words are folded as {@link termsOf} folds them. */
export interface QueryTerms {
  /** Words that say what the query is about; a memory must hold one of them. */
  readonly strong: readonly string[]
  /** Words that half of all memories hold ("favourite", "name"): they add to a match, and make none beside a strong one. */
  readonly weak: readonly string[]
  /** The query asks for whatever there is ("what do you know about me", or nothing at all). */
  readonly isOverview: boolean
}

const { eng, deu, fra, spa, ita, por, nld, swe, pol, rus, tur, ara, hin, zho, jpn } = stopword

/** Case, Latin accents and Arabic vowel points go; marks that are letters (Devanagari, Japanese) stay. */
const fold = (text: string) =>
  text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f\u064b-\u0652]/g, '')
    .normalize('NFC')
    .toLowerCase()
    .replaceAll('ß', 'ss')
const stem = (word: string) => (/^[a-z]+$/.test(word) ? stemmer(word) : word)
const asSet = (words: readonly string[]) => new Set(words.map(fold))
const stems = (words: string) => new Set(words.split(/\s+/).map((word) => stem(fold(word))))

/** The list has gaps; a pronoun that counts as a word makes a short question a long one. */
const ENGLISH = asSet([
  ...eng,
  ...'does did doing done she he her hers him his they them their theirs we our ours you your yours'.split(
    ' ',
  ),
])
/** English first: it wins a tie. */
const LANGUAGES = [
  ENGLISH,
  ...[deu, fra, spa, ita, por, nld, swe, pol, rus, tur, ara, hin, zho, jpn].map(asSet),
]
const WEAK = stems(
  [
    'favourite favorite like love name personal current good best new time date due',
    'today tomorrow yesterday day week weekend month year hour minute morning noon afternoon evening night',
    'monday tuesday wednesday thursday friday saturday sunday',
    'call make take get go come want need use give find help look keep start try work live happen',
  ].join(' '),
)
/** Talk about the memory itself and what kinds of things are in it, or about its owner. */
const META = stems(
  'prefer preference decision decide note important upcoming user know known remember memory thing stuff information info detail fact question answer tell say said mention about everything anything all me my myself i',
)
const segmenter = new Intl.Segmenter('en', { granularity: 'word' })

/** Words of a text in order: cut as its script wants (Chinese too), without case, accents and English endings. */
export function termsOf(text: string): string[] {
  return words(text).map(stem)
}

/**
 * The words worth searching for. Stop words are dropped by the list of the one language that explains the most of
 * the query: a list of all languages at once would drop English *car*, which is a French stop word.
 */
export function queryTermsOf(query: string): QueryTerms {
  const all = [...new Set(words(query))]
  const without = (stops: ReadonlySet<string>) =>
    [...new Set(all.filter((word) => !stops.has(word)).map(stem))].filter((term) => !META.has(term))
  const [best = ENGLISH] = LANGUAGES.map((stops) => ({
    stops,
    hits: all.filter((word) => stops.has(word)).length,
  }))
    .sort((a, b) => b.hits - a.hits)
    .map(({ stops }) => stops)
  let content = without(best)
  // a foreign list that leaves nothing to search for has misjudged a query of one or two words
  if (best !== ENGLISH && !content.some((term) => !WEAK.has(term))) content = without(ENGLISH)
  return {
    strong: content.filter((term) => !WEAK.has(term)),
    weak: content.filter((term) => WEAK.has(term)),
    isOverview: content.length === 0 && (query.trim() === '' || all.some((word) => META.has(stem(word)))),
  }
}

/** Equal for texts that differ in case, accents, punctuation, endings and articles only: the same memory. */
export function sameTextKey(text: string): string {
  const terms = termsOf(text).filter((term) => !['a', 'an', 'the'].includes(term))
  return terms.length > 0 ? terms.join(' ') : text.trim()
}

function words(text: string): string[] {
  const found: string[] = []
  for (const { segment, isWordLike } of segmenter.segment(fold(text))) {
    if (isWordLike)
      found.push(...segment.split(/[^\p{L}\p{N}\p{M}]+/u).filter((part) => part !== '' && part !== 's'))
  }
  return found
}
