import { SqlError } from './errors.ts'

/** What may be bound, once booleans are mapped to 1 and 0. */
export type SqlValue = null | string | number | bigint | Uint8Array

const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * Both databases take the same values and refuse the same ones, so a statement that passes on one does not fail
 * (or silently change its data) on the other: U+0000 is an error on Postgres and a cut on SQLite, a lone
 * surrogate becomes U+FFFD on both, `undefined` and an unknown object abort the process on SQLite.
 *
 * @param position - Place among the parameters, from 1, for the message.
 * @throws {SqlError} `BAD_VALUE` names the position and what was given.
 */
export function checkValue(value: unknown, position: number): SqlValue {
  switch (typeof value) {
    case 'string':
      if (value.includes('\0')) throw bad(position, 'text with U+0000')
      if (LONE_SURROGATE.test(value)) throw bad(position, 'ill-formed text (a lone surrogate)')
      return value
    case 'number':
      if (!Number.isFinite(value)) throw bad(position, String(value))
      return value
    case 'boolean':
      return value ? 1 : 0
    case 'bigint':
      // Beyond this a read as a number would not give back what was written.
      if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER))
        throw bad(position, `the integer ${value}, which is beyond ±(2^53 - 1)`)
      return value
    case 'object':
      if (value === null || value instanceof Uint8Array) return value
      throw bad(position, value instanceof Date ? 'a Date' : Array.isArray(value) ? 'an array' : 'an object')
    default:
      throw bad(position, value === undefined ? 'undefined' : `a ${typeof value}`)
  }
}

const bad = (position: number, what: string) =>
  new SqlError(
    'BAD_VALUE',
    `SQL parameter ${position} is ${what}; allowed are text, finite numbers, booleans, bytes and null`,
  )
