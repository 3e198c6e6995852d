import { guardedPattern } from './guarded-pattern.ts'

/** Finds a phrase or a pattern in an answer. */
export interface TextMatch {
  /** As the suite wrote it; for reasons. */
  readonly label: string
  test(text: string): boolean
}

/**
 * A phrase is found as whole words, in any case, whatever quotes, dashes or spaces the model set: an answer
 * that says “don’t” contains "don't", and "sure" is not found in "assured".
 */
export function phrase(label: string): TextMatch {
  const wanted = plain(label)
  const [first = '', last = ''] = [...wanted].filter((_, at, all) => at === 0 || at === all.length - 1)
  const start = SPACED.test(first) ? String.raw`(?<![\p{L}\p{M}\p{N}])` : ''
  const end = SPACED.test(last || first) ? String.raw`(?![\p{L}\p{M}\p{N}])` : ''
  const found = new RegExp(`${start}${literally(wanted)}${end}`, 'u')
  return { label: JSON.stringify(label), test: (text) => found.test(plain(text)) }
}

/** A letter or digit of a script that sets spaces between its words: only there a word has an end. */
const SPACED =
  /(?![\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}])[\p{L}\p{M}\p{N}]/u

/** A phrase without a letter or a sign in it would be found everywhere. */
export const isPhrase = (text: string): boolean => plain(text) !== ''

/**
 * A regular expression over the answer as it is: any case, `^` and `$` at every line.
 * Its test throws an `EvalFailure` when it takes more than a second.
 */
export function pattern(label: string): TextMatch {
  return { label: `/${label}/`, ...guardedPattern(label, 'imu') }
}

/** Why `text` is no regular expression, or `undefined`. */
export function patternProblem(text: string): string | undefined {
  try {
    pattern(text)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const plain = (text: string): string =>
  text
    .normalize('NFKC')
    .replace(/[\u2018\u2019\u02BC]/g, "'")
    .replace(/[\u201C\u201D]/g, '"')
    .replace(/[\u2010-\u2015\u2212]/g, '-')
    .replace(/[\u00AD\u200B-\u200D\u2060\uFEFF]/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .toLowerCase()

const literally = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)
