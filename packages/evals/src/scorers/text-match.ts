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
  const start = /^[\p{L}\p{N}]/u.test(wanted) ? String.raw`(?<![\p{L}\p{N}])` : ''
  const end = /[\p{L}\p{N}]$/u.test(wanted) ? String.raw`(?![\p{L}\p{N}])` : ''
  const found = new RegExp(`${start}${literally(wanted)}${end}`, 'u')
  return { label: JSON.stringify(label), test: (text) => found.test(plain(text)) }
}

/** A regular expression over the answer as it is: any case, `^` and `$` at every line. */
export function pattern(label: string): TextMatch {
  const found = new RegExp(label, 'imu')
  return { label: `/${label}/`, test: (text) => found.test(text) }
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
    .replace(/[\u2010-\u2015]/g, '-')
    .replace(/\s+/g, ' ')
    .trim()
    .toLowerCase()

const literally = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)
