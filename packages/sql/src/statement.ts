import { SqlError } from './errors.ts'

/** Strings, quoted names, comments; then an end, or what may hold a parameter. */
const TOKENS =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?\*\/|;|\?\d*|[:@$][A-Za-z_]\w*/g

const TRIGGER = /^\s*create\s+(?:temp(?:orary)?\s+)?trigger\b/i

/**
 * Counts the `?` of a SQLite statement, outside strings, quoted names and comments. Numbered and named parameters
 * are refused, because the binding takes any number of values for them in silence; so is a second statement in
 * the same text, which it would leave out without a word.
 *
 * @throws {SqlError} `BAD_STATEMENT`
 */
export function countPlaceholders(sql: string): number {
  if (sql.includes('\0')) throw new SqlError('BAD_STATEMENT', 'The statement has U+0000 in its text')
  let count = 0
  for (const { 0: token, index } of sql.matchAll(TOKENS)) {
    if (token === '?') count++
    else if (token === ';') {
      if (sql.slice(index + 1).trim() !== '' && !TRIGGER.test(sql))
        throw new SqlError('BAD_STATEMENT', 'The text holds more than one statement')
    } else if (/^[?:@$]/.test(token))
      throw new SqlError(
        'BAD_STATEMENT',
        `The statement has the parameter ${token}; only a plain ? is allowed`,
      )
  }
  return count
}
