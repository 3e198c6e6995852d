/** Fits a terminal of 80 columns, and a log of a CI job. */
const WIDTH = 78

/**
 * A sentence as lines of at most 78 columns.
 * @param first - Before the first line; the others are indented as far.
 */
export function wrapped(first: string, text: string): string[] {
  const indent = ' '.repeat([...first].length)
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    if (line !== '' && indent.length + [...line].length + 1 + [...word].length > WIDTH) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  if (line !== '' || lines.length === 0) lines.push(line)
  return lines.map((one, i) => `${i === 0 ? first : indent}${one}`)
}
