import { InvalidInput } from '@promptkeep/client/protocol'
import { repr, reprList, reprSet } from '../../python-repr.ts'
import type { Clause, Comparator, Order } from '../../store/store.ts'
import { experimentIdOf } from './experiment-id.ts'
import { comparatorsOf, LIST_COMPARATORS, RULES, type Rules, type Subject } from './filter-subjects.ts'
import { readList, type Token, tokenize, unquote } from './filter-tokens.ts'
import { readNumber, readText } from './filter-values.ts'

/** More than any client writes, and few enough for one statement on both databases. */
const MAX_CLAUSES = 200
const MAX_LIST = 10_000
/** Of the parts that make no sense, so that the answer stays short. */
const MAX_NAMED = 50

/**
 * Reads MLflow's filter language: comparisons joined by AND (which may even be missing).
 * @throws {InvalidInput} with MLflow's texts
 */
export function parseFilter(subject: Subject, filter: string | undefined): Clause[] {
  if (!filter) return []
  const rules = RULES[subject]
  const comparisons = split(rules, filter)
  if (comparisons.length > MAX_CLAUSES) {
    throw new InvalidInput(`Filter has ${comparisons.length} comparisons; at most ${MAX_CLAUSES} are allowed`)
  }
  // All keys and values are read before the first comparator is judged: so MLflow decides which mistake it names.
  const read = comparisons.map((comparison) => readComparison(rules, comparison))
  for (const { entity, key, comparator } of read) {
    if (comparator === 'IS NULL' || comparator === 'IS NOT NULL') continue
    if (!comparatorsOf(rules, entity, key).includes(comparator)) {
      throw new InvalidInput(rules.says.comparator(entity, key, comparator))
    }
  }
  return read.map((clause) => ({ ...clause, key: storeKey(rules, clause) }))
}

/** What the store calls an attribute that has several names. */
const storeKey = (rules: Rules, { entity, key }: Clause) =>
  entity === 'attribute' ? (rules.attributes[key]?.as ?? key) : key

/**
 * Reads `order_by`: one field an item, with ASC or DESC. The answer is complete: without an order it is the
 * subject's own, and it ends in what makes it total.
 * @throws {InvalidInput} with MLflow's texts
 */
export function parseOrderBy(subject: Subject, items: readonly string[] = []): Order[] {
  const rules = RULES[subject]
  const given = items.map((item) => readOrder(rules, subject, item))
  const has = (orders: readonly Order[], { entity, key }: Order) =>
    orders.some((order) => order.entity === entity && order.key === key)
  if (given.some((order, index) => has(given.slice(0, index), order))) {
    throw new InvalidInput(`\`order_by\` contains duplicate fields: ${reprList(items)}`)
  }
  const order = given.length > 0 ? given : rules.defaultOrder
  return [...order, ...rules.tieBreak.filter((tie) => !has(order, tie))]
}

function readOrder(rules: Rules, subject: Subject, item: string): Order {
  const [field, direction, ...rest] = tokenize(item)
  if (field?.kind !== 'identifier' || rest.length > 0 || (direction && direction.kind !== 'identifier')) {
    throw new InvalidInput(`Invalid order_by clause '${item}'. Could not be parsed.`)
  }
  const word = direction?.text.toLowerCase() ?? 'asc'
  if (word !== 'asc' && word !== 'desc') {
    throw new InvalidInput(`Invalid ordering key in order_by clause '${item}'.`)
  }
  const { entity, key } = readIdentifier(rules, field.text)
  const ascending = word === 'asc'
  if (entity !== 'attribute') {
    if (subject === 'runs' && entity !== 'dataset') return { entity, key, ascending }
    const what = subject === 'runs' ? `identifier type '${entity}'` : `order_by entity: ${entity}`
    throw new InvalidInput(`Invalid ${what}`)
  }
  if (!Object.hasOwn(rules.orderable, key)) throw new InvalidInput(rules.says.orderKey(key))
  return { entity, key: rules.orderable[key] ?? key, ascending }
}

interface Comparison {
  readonly left: string
  readonly comparator: string
  /** Absent for IS [NOT] NULL. */
  readonly right?: Token
}

/** Finds the comparisons, and refuses everything else between them at once. */
function split(rules: Rules, filter: string): Comparison[] {
  const tokens = tokenize(filter)
  const comparisons: Comparison[] = []
  const invalid: string[] = []
  for (let at = 0; at < tokens.length; ) {
    const found = comparisonAt(tokens, at)
    if (found) {
      comparisons.push(found.comparison)
      at = found.end
      continue
    }
    const { text, kind } = tokens[at++] as Token
    if (text === ';' && at < tokens.length) {
      throw new InvalidInput(
        `Search filter contained multiple expression ${repr(filter)}. Provide AND-ed expression list.`,
      )
    }
    if (kind !== 'keyword' || text.toUpperCase() !== 'AND') invalid.push(rules.says.invalid(text))
  }
  if (invalid.length > 0) {
    const more = invalid.length > MAX_NAMED ? ` and ${invalid.length - MAX_NAMED} more` : ''
    const named = invalid.slice(0, MAX_NAMED).join(', ')
    throw new InvalidInput(`Invalid clause(s) in filter string: ${named}${more}`)
  }
  return comparisons
}

function comparisonAt(
  tokens: readonly Token[],
  at: number,
): { comparison: Comparison; end: number } | undefined {
  const [left, ...next] = tokens.slice(at, at + 4)
  if (left?.kind !== 'identifier') return undefined
  const said = next.map(({ kind, text }) => (kind === 'keyword' ? text.toUpperCase() : kind))
  const one = (comparator: string, length: number, right?: Token) => ({
    comparison: { left: left.text, comparator, ...(right && { right }) },
    end: at + length,
  })
  if (said[0] === 'comparator' && ['identifier', 'string', 'number', 'list'].includes(said[1] ?? '')) {
    return one((next[0] as Token).text.toUpperCase().replace(/\s+/g, ' '), 3, next[1])
  }
  if (said[0] === 'IN' && said[1] === 'list') return one('IN', 3, next[1])
  if (said[0] === 'NOT' && said[1] === 'IN' && said[2] === 'list') return one('NOT IN', 4, next[2])
  if (said[0] === 'IS' && said[1] === 'NULL') return one('IS NULL', 3)
  if (said[0] === 'IS' && said[1] === 'NOT' && said[2] === 'NULL') return one('IS NOT NULL', 4)
  return undefined
}

function readComparison(rules: Rules, { left, comparator, right }: Comparison): Clause {
  const { entity, key } = readIdentifier(rules, left)
  if (entity === 'attribute' && !Object.hasOwn(rules.attributes, key)) {
    throw new InvalidInput(
      `Invalid attribute key '${key}' specified. Valid keys are '${reprSet(Object.keys(rules.attributes))}'`,
    )
  }
  // Only comparators of the port leave this file: `parseFilter` refuses every other one next.
  const clause = { entity, key, comparator: comparator as Comparator }
  if (right === undefined) {
    if (!rules.nullable.includes(entity)) throw new InvalidInput(rules.says.isNull(entity, key))
    return clause
  }
  return { ...clause, value: readValue(rules, clause, right) }
}

function readIdentifier(rules: Rules, text: string): Pick<Clause, 'entity' | 'key'> {
  const dot = text.indexOf('.')
  if (dot === -1) return { entity: 'attribute', key: unquote(text) }
  const word = unquote(text.slice(0, dot))
  const entity = Object.hasOwn(rules.entities, word) ? rules.entities[word] : undefined
  if (entity === undefined) throw new InvalidInput(rules.says.entity(word))
  const key = unquote(text.slice(dot + 1))
  if (entity === 'dataset' && !['name', 'digest', 'context'].includes(key)) {
    throw new InvalidInput(
      `Invalid dataset key '${key}' specified. Valid keys are '{'name', 'digest', 'context'}'`,
    )
  }
  return { entity, key }
}

function readValue(
  rules: Rules,
  { entity, key, comparator }: Clause,
  token: Token,
): string | number | string[] {
  const attribute = entity === 'attribute' ? rules.attributes[key] : undefined
  const numeric = entity === 'metric' || attribute?.type === 'number' || attribute?.type === 'integer'
  const listable = entity === 'dataset' || attribute?.list === true
  if (token.kind === 'list' && (listable || (attribute !== undefined && !numeric) || attribute?.quotable)) {
    if (!listable) throw new InvalidInput(onlyListsFor(rules))
    if (!LIST_COMPARATORS.includes(comparator))
      throw new InvalidInput(
        `Invalid comparator for the list ${token.text}: ${comparator}, expected IN or NOT IN`,
      )
    return readValues(token, attribute?.type)
  }
  if (numeric) return readNumber(entity, key, attribute, token)
  if (token.kind === 'number' && rules === RULES['model versions'] && attribute) {
    throw new InvalidInput("Only the '{'version_number'}' attributes support comparison with numeric values.")
  }
  return readText(token, comparator, attribute?.type, (given) => rules.says.text(entity, given))
}

function readValues(token: Token, type: Parameters<typeof readText>[2]): string[] {
  const list = 'While parsing a list in the query, expected'
  const values = readList(token.text)
  if (values === undefined) {
    throw new InvalidInput(`${list} a non-empty list of string values, but got ill-formed list.`)
  }
  if (values === 'mixed') {
    throw new InvalidInput(
      `${list} string value, punctuation, or whitespace, but got different type in list: ${token.text}`,
    )
  }
  if (values.length === 0) {
    throw new InvalidInput(`${list} a non-empty list of string values, but got empty list`)
  }
  if (values.length > MAX_LIST) {
    throw new InvalidInput(
      `A list in the filter has ${values.length} values; at most ${MAX_LIST} are allowed`,
    )
  }
  return values.map((value) => (type === 'experiment id' ? experimentIdOf(value) : value))
}

function onlyListsFor(rules: Rules): string {
  const keys = Object.entries(rules.attributes).filter(([, { list }]) => list)
  const names = reprList(keys.map(([key]) => key).sort())
  return `Only ${names} attributes support comparison with a list of quoted string values.`
}
