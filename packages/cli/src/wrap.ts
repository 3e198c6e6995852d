/** Fits a terminal of 80 columns, and a log of a CI job. */
const WIDTH = 78

/**
 * A sentence as lines of at most 78 columns; a word that is longer is not cut.
 * @param first - Before the first line.
 * @param indent - Before the others. Default: as wide as `first`.
 */
export function wrapped(first: string, text: string, indent = ' '.repeat([...first].length)): string[] {
  const lines: string[] = []
  let line = first
  let isEmpty = true
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    if (!isEmpty && [...line].length + 1 + [...word].length > WIDTH) {
      lines.push(line)
      line = `${indent}${word}`
    } else line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line]
}
