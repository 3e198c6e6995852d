import { isObject } from './check-json.ts'
import { InvalidInput } from './errors.ts'
import type { Operator } from './jinja-ast.ts'

const ABSENT = Symbol('absent')

/** What stands for a value that nobody gave. */
export interface Absent {
  readonly [ABSENT]: true
  /** As the template spells it: `user.name`. */
  readonly name: string
}

export const absent = (name: string): Absent => ({ [ABSENT]: true, name })

export const isAbsent = (value: unknown): value is Absent =>
  typeof value === 'object' && value !== null && ABSENT in value

/** Python's methods of JSON's values. `{{ user.items }}` is one there, not the entry. */
const METHODS = {
  dict: words('clear copy fromkeys get items keys pop popitem setdefault update values'),
  list: words('append clear copy count extend index insert pop remove reverse sort'),
  str: words(
    'capitalize casefold center count encode endswith expandtabs find format format_map index isalnum isalpha ' +
      'isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join ljust ' +
      'lower lstrip maketrans partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit ' +
      'rstrip split splitlines startswith strip swapcase title translate upper zfill',
  ),
  number: words(
    'as_integer_ratio bit_count bit_length conjugate denominator from_bytes fromhex hex imag is_integer ' +
      'numerator real to_bytes',
  ),
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(' '))
}

function methodsOf(value: unknown): ReadonlySet<string> | undefined {
  if (typeof value === 'string') return METHODS.str
  if (Array.isArray(value)) return METHODS.list
  if (typeof value === 'object' && value !== null) return METHODS.dict
  return value === null ? undefined : METHODS.number
}

/**
 * A field of a value, own ones only: of an object by its key, of a list or text by its index (negative: from the end).
 * @param nameOf - Of the field, as the template spells it.
 */
export function readField(of: unknown, key: unknown, isDotted: boolean, nameOf: () => string): unknown {
  const isMethod = typeof key === 'string' && methodsOf(of)?.has(key) === true
  const isEntry = typeof key === 'string' && isRecord(of) && Object.hasOwn(of, key)
  if (isMethod && (isDotted || !isEntry)) {
    const instead = isEntry ? `; for the entry write ["${key}"]` : ''
    throw new InvalidInput(`"${nameOf()}" is a method in Python, not a value${instead}`)
  }
  const value = isEntry ? of[key] : itemAt(of, key)
  return value === undefined ? absent(nameOf()) : value
}

function itemAt(of: unknown, key: unknown): unknown {
  const items = typeof of === 'string' ? [...of] : of
  const index = typeof key === 'boolean' || typeof key === 'bigint' ? Number(key) : key
  return Array.isArray(items) && Number.isInteger(index) ? items.at(index as number) : undefined
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Python's truth: nothing, zero and what is empty are false. */
export function isTrue(value: unknown): boolean {
  if (isAbsent(value)) return false
  if (Array.isArray(value)) return value.length > 0
  if (isObject(value)) return Object.keys(value).length > 0
  return Boolean(value) || Number.isNaN(value)
}

/** @throws {InvalidInput} where Python raises: values that have no order, or hold nothing */
export function compare(left: unknown, operator: Operator, right: unknown): boolean {
  switch (operator) {
    case '==':
      return equals(left, right)
    case '!=':
      return !equals(left, right)
    case 'in':
      return holds(right, left)
    case 'not in':
      return !holds(right, left)
    case '<':
      return order(left, right, operator) < 0
    case '<=':
      return order(left, right, operator) <= 0
    case '>':
      return order(left, right, operator) > 0
    case '>=':
      return order(left, right, operator) >= 0
  }
}

function equals(a: unknown, b: unknown): boolean {
  if (isAbsent(a) || isAbsent(b)) return isAbsent(a) && isAbsent(b)
  if (isNumeric(a) && isNumeric(b)) return orderOfNumbers(a, b) === 0
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((x, i) => equals(x, b[i]))
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a)
    return (
      keys.length === Object.keys(b).length &&
      keys.every((key) => Object.hasOwn(b, key) && equals(a[key], b[key]))
    )
  }
  return a === b
}

function holds(whole: unknown, item: unknown): boolean {
  if (isAbsent(whole)) return false
  if (typeof whole === 'string' && typeof item === 'string') return whole.includes(item)
  if (Array.isArray(whole)) return whole.some((one) => equals(one, item))
  if (isObject(whole)) {
    if (isAbsent(item)) return false
    if (typeof item !== 'object' || item === null)
      return typeof item === 'string' && Object.hasOwn(whole, item)
  }
  throw new InvalidInput(`"in" cannot look for ${kindOf(item)} in ${kindOf(whole)}`)
}

/** Negative, zero, positive; NaN where neither is first. */
function order(a: unknown, b: unknown, operator: Operator): number {
  if (isNumeric(a) && isNumeric(b)) return orderOfNumbers(a, b)
  if (typeof a === 'string' && typeof b === 'string') return orderOfTexts(a, b)
  throw new InvalidInput(`"${operator}" cannot compare ${kindOf(a)} with ${kindOf(b)}`)
}

/** NaN where neither is first. A bigint and a number are compared by what they are worth. */
function orderOfNumbers(a: Numeric, b: Numeric): number {
  const [x, y] = [numberOf(a), numberOf(b)]
  if (x < y) return -1
  if (x > y) return 1
  return Number.isNaN(x) || Number.isNaN(y) ? Number.NaN : 0
}

/** By code points, as Python; `<` of JavaScript puts an emoji before "\uff5e". */
function orderOfTexts(a: string, b: string): number {
  const [x, y] = [[...a], [...b]]
  const i = x.findIndex((char, i) => char !== y[i])
  if (i === -1) return x.length - y.length
  return y[i] === undefined ? 1 : (x[i]?.codePointAt(0) as number) - (y[i]?.codePointAt(0) as number)
}

type Numeric = number | bigint | boolean
const isNumeric = (value: unknown): value is Numeric =>
  typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
const numberOf = (value: Numeric): number | bigint => (typeof value === 'boolean' ? Number(value) : value)

/** For messages. */
export function kindOf(value: unknown): string {
  if (isAbsent(value)) return `"${value.name}", which has no value`
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'string') return 'a text'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
