/** Letters in a row that two texts hardly share by chance: about seven words. */
const WINDOW = 36

/**
 * Finds what an answer quotes of `texts`, however it is dressed: only letters count, in any case, so that spaces, dashes and
 * line breaks between them hide nothing.
 *
 * @returns A function that gives the letters of a quotation, or `undefined`. What stands in `known` is none.
 */
export function quotesOf(
  texts: readonly string[],
): (answer: string, known: readonly string[]) => string | undefined {
  const windows = new Set(texts.flatMap((text) => windowsOf(lettersOf(text))))
  return (answer, known) => {
    const own = known.map(lettersOf)
    const isQuote = (window: string) => windows.has(window) && !own.some((text) => text.includes(window))
    for (const reading of readingsOf(answer)) {
      const quote = windowsOf(lettersOf(reading)).find(isQuote)
      if (quote !== undefined) return quote
    }
    return undefined
  }
}

const lettersOf = (text: string): string => text.toLowerCase().replace(/[^\p{L}]/gu, '')

const windowsOf = (letters: string): string[] =>
  Array.from({ length: Math.max(0, letters.length - WINDOW + 1) }, (_, at) => letters.slice(at, at + WINDOW))

/** The answer as it is, and as whoever asked for it in code would read it. */
function readingsOf(answer: string): string[] {
  const encoded = answer.match(/[A-Za-z0-9+/_-]{24,}={0,2}/g) ?? []
  return [
    answer,
    [...answer].reverse().join(''),
    answer.replace(/[a-z]/gi, rot13),
    ...encoded.map((text) => Buffer.from(text, 'base64').toString('utf8')),
  ]
}

function rot13(letter: string): string {
  const first = letter < 'a' ? 65 : 97
  return String.fromCharCode(((letter.charCodeAt(0) - first + 13) % 26) + first)
}
