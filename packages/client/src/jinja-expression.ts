import type { Expression, Operator } from './jinja-ast.ts'
import { ALLOWED, type Fail, type Token } from './jinja-lex.ts'

/** Python's own parser gives up at 60 or so; nobody reads ten. */
const MAX_DEPTH = 30
/** `a and b and …`: Python's compiler gives up at 200. */
const MAX_OPERANDS = 100

const WORDS = new Set(['and', 'or', 'not', 'in', 'is', 'if', 'else'])
const LITERALS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
])
const COMPARISONS = new Set(['==', '!=', '<', '<=', '>', '>='])
const NAMES_OF: Readonly<Record<string, string>> = {
  '|': 'a filter (|)',
  '(': 'a call',
  '~': 'joining with ~',
  '+': 'arithmetic (+)',
  '-': 'arithmetic (-)',
  '*': 'arithmetic (*)',
  '/': 'arithmetic (/)',
  '//': 'arithmetic (//)',
  '**': 'arithmetic (**)',
  '%': 'arithmetic (%)',
  '=': 'an assignment',
  ',': 'a tuple',
  if: 'an inline condition (a if b else c)',
}
const LOOP_FIELDS: ReadonlySet<string> = new Set(['index', 'index0', 'first', 'last', 'length'])

/** The tokens of one tag, read from left to right. */
export interface Cursor {
  readonly peek: () => Token
  readonly next: () => Token
  /** Takes the next token where it is this name or operator. */
  readonly skip: (value: string) => boolean
  readonly fail: Fail
}

export function cursorOf(tokens: readonly Token[], fail: Fail): Cursor {
  let i = 0
  const peek = () => tokens[Math.min(i, tokens.length - 1)] as Token
  return {
    peek,
    next: () => {
      const token = peek()
      i++
      return token
    },
    skip: (value) => {
      const { kind, value: found } = peek()
      const isThere = (kind === 'name' || kind === 'operator') && found === value
      if (isThere) i++
      return isThere
    },
    fail,
  }
}

/** Refuses whatever is left in a tag, by what it would be in Jinja. */
export function expectEnd(cursor: Cursor): void {
  const { kind, value, at } = cursor.peek()
  if (kind === 'end') return
  const name = Object.hasOwn(NAMES_OF, value) && kind !== 'string' ? NAMES_OF[value] : undefined
  if (name !== undefined) cursor.fail(`${name} is not supported; ${ALLOWED}`, at)
  cursor.fail(`unexpected ${describe(cursor.peek())}; ${ALLOWED}`, at)
}

/** @param isInLoop - Whether `loop` is there. */
export function parseExpression(cursor: Cursor, isInLoop: boolean): Expression {
  let depth = 0

  function deeper<T>(read: () => T): T {
    if (++depth > MAX_DEPTH) cursor.fail(`nested deeper than ${MAX_DEPTH} levels`, cursor.peek().at)
    const result = read()
    depth--
    return result
  }

  function chain(kind: 'and' | 'or', operand: () => Expression): Expression {
    let left = operand()
    for (let count = 1; cursor.skip(kind); count++) {
      if (count >= MAX_OPERANDS) cursor.fail(`more than ${MAX_OPERANDS} operands`, cursor.peek().at)
      left = { kind, left, right: operand() }
    }
    return left
  }

  const or = (): Expression => chain('or', () => chain('and', not))

  function not(): Expression {
    if (!cursor.skip('not')) return compare()
    return { kind: 'not', of: deeper(not) }
  }

  function compare(): Expression {
    const first = tested()
    const rest: { operator: Operator; right: Expression }[] = []
    for (let operator = comparison(); operator; operator = comparison())
      rest.push({ operator, right: tested() })
    return rest.length === 0 ? first : { kind: 'compare', first, rest }
  }

  function comparison(): Operator | undefined {
    const { kind, value, at } = cursor.peek()
    if (kind === 'operator' && COMPARISONS.has(value)) return cursor.next().value as Operator
    if (cursor.skip('in')) return 'in'
    if (!cursor.skip('not')) return undefined
    return cursor.skip('in') ? 'not in' : cursor.fail('"not" must be followed by "in" here', at)
  }

  function tested(): Expression {
    const of = primary()
    if (!cursor.skip('is')) return of
    const isNegated = cursor.skip('not')
    const { kind, value, at } = cursor.next()
    const test = value === 'undefined' ? 'defined' : value.toLowerCase()
    const isKnown = kind === 'name' && ['defined', 'undefined', 'none'].includes(value)
    if (!isKnown || (test !== 'defined' && test !== 'none'))
      return cursor.fail(`the test "is ${value}" is not supported; ${ALLOWED}`, at)
    const after = cursor.peek()
    if (after.kind === 'name' && ['in', 'not', 'is'].includes(after.value))
      cursor.fail(`put the test before "${after.value}" in parentheses`, after.at)
    const result: Expression = { kind: 'is', of, test }
    return isNegated !== (value === 'undefined') ? { kind: 'not', of: result } : result
  }

  function primary(): Expression {
    const token = cursor.next()
    const { kind, value, at } = token
    if (kind === 'name') return named(token)
    if (kind === 'string') return literal(value)
    if (kind === 'integer' || kind === 'float') return number(token, 1)
    if (kind === 'operator' && value === '-' && /^(integer|float)$/.test(cursor.peek().kind))
      return number(cursor.next(), -1)
    if (kind === 'operator' && value === '(') {
      const inner = deeper(or)
      if (!cursor.skip(')')) {
        expectEnd(cursor)
        cursor.fail('"(" is never closed', at)
      }
      const after = cursor.peek()
      if (after.value === '.' || after.value === '[')
        cursor.fail(`only a variable has fields, not what is in parentheses; ${ALLOWED}`, after.at)
      return inner
    }
    if (kind === 'operator' && (value === '[' || value === '{'))
      cursor.fail(`a ${value === '[' ? 'list' : 'dict'} literal is not supported; ${ALLOWED}`, at)
    if (kind === 'end') return cursor.fail('an expression is missing', at)
    return cursor.fail(`unexpected ${describe(token)}; ${ALLOWED}`, at)
  }

  function number({ kind, value, at }: Token, sign: 1 | -1): Expression {
    const result = sign * Number(value)
    if (/^0\d/.test(value)) cursor.fail(`${value} starts with 0`, at)
    if (kind === 'integer' && !Number.isSafeInteger(result))
      cursor.fail(`${value} is too large for a whole number`, at)
    if (!Number.isFinite(result)) cursor.fail(`${value} is too large for a number`, at)
    // -0 is 0 in Python where it is no float.
    const isWholeFloat = kind === 'float' && Number.isInteger(result)
    return { kind: 'literal', value: result === 0 ? 0 : result, isWholeFloat }
  }

  function named({ value: name, at }: Token): Expression {
    const constant = LITERALS.get(name)
    if (constant !== undefined) return literal(constant)
    checkName(cursor, name, at)
    if (name === 'loop') return loopField(at)
    let path: Expression = { kind: 'name', name }
    for (let length = 0; ; length++) {
      const { at } = cursor.peek()
      if (length > MAX_DEPTH) cursor.fail(`nested deeper than ${MAX_DEPTH} levels`, at)
      if (cursor.skip('.')) path = { kind: 'field', of: path, key: field(), isDotted: true }
      else if (cursor.skip('[')) {
        path = { kind: 'field', of: path, key: deeper(or), isDotted: false }
        if (!cursor.skip(']')) {
          const reason =
            cursor.peek().value === ':' ? 'a slice is not supported' : 'a subscript is one expression'
          cursor.fail(`${reason}; ${ALLOWED}`, cursor.peek().at)
        }
      } else return path
    }
  }

  function field(): Expression {
    const token = cursor.next()
    const { kind, value, at } = token
    if (kind === 'integer') return number(token, 1)
    if (kind !== 'name') return cursor.fail('a name or a number must follow the dot', at)
    if (value.startsWith('__')) cursor.fail(`fields that start with __ are not supported`, at)
    if (!/^\w+$/.test(value)) cursor.fail(`${value} must be ASCII letters, digits and _`, at)
    return literal(value)
  }

  function loopField(at: number): Expression {
    if (!isInLoop) cursor.fail('"loop" is there inside {% for %} only', at)
    const { kind, value } = cursor.skip('.') ? cursor.next() : cursor.peek()
    if (kind !== 'name' || !LOOP_FIELDS.has(value))
      cursor.fail(`of "loop" there are ${[...LOOP_FIELDS].map((name) => `loop.${name}`).join(', ')}`, at)
    return { kind: 'field', of: { kind: 'name', name: 'loop' }, key: literal(value), isDotted: true }
  }

  return or()
}

/** Names of variables, as MLflow lists them: ASCII. `self` is the template in Jinja. */
export function checkName({ fail }: Cursor, name: string, at: number): void {
  if (WORDS.has(name) || LITERALS.has(name)) fail(`"${name}" is a word of Jinja, not a variable`, at)
  if (!/^[a-zA-Z_]\w*$/.test(name)) fail(`${name} is no name: letters a to z, digits and _`, at)
  if (name === 'self') fail('"self" is the template itself in Jinja, not a variable', at)
}

export const describe = ({ kind, value }: Token): string =>
  kind === 'end' ? 'end of the tag' : kind === 'string' ? `text '${value}'` : `"${value}"`

const literal = (value: string | boolean | null): Expression => ({
  kind: 'literal',
  value,
  isWholeFloat: false,
})
