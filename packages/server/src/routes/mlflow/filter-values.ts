import { InvalidInput } from '@promptkeep/client/protocol'
import { repr } from '../../python-repr.ts'
import type { Clause } from '../../store/store.ts'
import { experimentIdOf } from './experiment-id.ts'
import type { Attribute } from './filter-subjects.ts'
import { type Token, unquote } from './filter-tokens.ts'

/** SQLite refuses longer patterns (50,000 bytes, and a quoted wildcard takes three). */
const MAX_PATTERN_BYTES = 16_000

/** The number of a numeric comparison: always finite. @throws {InvalidInput} */
export function readNumber(
  entity: Clause['entity'],
  key: string,
  attribute: Attribute | undefined,
  token: Token,
): number {
  const quoted = attribute?.quotable && (token.kind === 'string' || token.kind === 'identifier')
  if (token.kind !== 'number' && !quoted) {
    const what = entity === 'metric' ? 'metric' : `numeric attribute: ${key}`
    throw new InvalidInput(`Expected numeric value type for ${what}. Found ${token.text}`)
  }
  const text = quoted ? quotedText(token) : token.text
  if (attribute?.type !== 'integer') return clamp(Number(text))
  const value = /^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) {
    throw new InvalidInput(
      `Invalid value for numeric attribute '${key}': ${quoted ? repr(text) : token.text}`,
    )
  }
  return value
}

/** Infinite metrics are stored as the largest number; so is what they are compared with. */
const clamp = (value: number) => Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value))

/** The text of a comparison with text. @throws {InvalidInput} with what `expected` says of the value given */
export function readText(
  token: Token,
  comparator: string,
  type: Attribute['type'] | undefined,
  expected: (given: string) => string,
): string {
  if (token.kind !== 'string' && token.kind !== 'identifier') throw new InvalidInput(expected(token.text))
  const text = quotedText(token)
  if (type === 'experiment id') return experimentIdOf(text)
  if (comparator.endsWith('LIKE') && Buffer.byteLength(text) > MAX_PATTERN_BYTES) {
    throw new InvalidInput(`A pattern of the filter is longer than ${MAX_PATTERN_BYTES} bytes`)
  }
  return text
}

function quotedText({ text }: Token): string {
  if (/^(['"]).*\1$/su.test(text) && text.length >= 2) return unquote(text)
  throw new InvalidInput(
    'Parameter value is either not quoted or unidentified quote types used for string value ' +
      `${text}. Use either single or double quotes.`,
  )
}
