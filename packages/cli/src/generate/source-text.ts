/**
 * Texts of a registry inside TypeScript. Whoever may register a prompt writes them, and the file is compiled by
 * somebody else: nothing of them may end the string or comment that it stands in.
 */

/** Control and format characters (bidirectional ones reorder what a reviewer sees), halves of pairs, line separators. */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}]/gu

const escaped = (text: string) =>
  Array.from(
    { length: text.length },
    (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`,
  ).join('')

/** A string literal, in single quotes. */
export const quote = (text: string): string =>
  `'${text.replace(/['\\]/g, '\\$&').replaceAll('\n', '\\n').replace(UNSAFE, escaped)}'`

/** A property name: quoted where it is no identifier. */
export const propertyKey = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name))

/** A doc comment with a line break behind it, or nothing. Lines of the text stay lines. */
export function docComment(text: string | undefined, indent: string): string {
  const lines = (text ?? '')
    .split(/\r\n|[\n\r\u2028\u2029]/)
    .map((line) => commentLine(line))
    .filter((line) => line !== '')
  if (lines.length === 0) return ''
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`), `${indent} */`, ''].join('\n')
}

/** Without what would end the comment, or be a directive to the compiler (`@ts-ignore` stands at a line's start). */
const commentLine = (line: string) =>
  line
    .replace(UNSAFE, ' ')
    .trim()
    .replaceAll('*/', '*\\/')
    .replace(/^[*/\s]*@/, (start) => `${start.slice(0, -1)}\\@`)

/** `memory-write` -> `MemoryWrite`. Not unique: other names may become the same. */
export function typeName(...names: readonly string[]): string {
  const words = names.flatMap((name) => name.match(/[A-Za-z0-9]+/g) ?? [])
  const joined = words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('')
  return /^[A-Za-z]/.test(joined) ? joined : `Type${joined}`
}

/** A command that a shell of Linux and macOS reads as these words, on one line whatever is in them. */
export const commandLine = (words: readonly string[]): string =>
  words
    .map((word) =>
      /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(UNSAFE, '?').replaceAll("'", "'\\''")}'`,
    )
    .join(' ')
