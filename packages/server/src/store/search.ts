import { TAG } from '@promptkeep/client/protocol'
import type { SqlDialect } from '@promptkeep/sql'
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Clause, Found, Order, Search } from './store.ts'

/** Where the rows of a search find what its clauses and orders name. Columns are written `table.column`. */
export interface Searchable {
  readonly attributes: Readonly<Record<string, Column>>
  /** Tables of keys and values beside the searched rows, by entity; an entity that is not here has no values. */
  readonly values: Readonly<Partial<Record<Clause['entity'], ValueTable>>>
  /**
   * Where a tag says that a row is (part of) a prompt. With this, a search that does not ask for prompts leaves
   * them out, as MLflow's does.
   */
  readonly promptTags?: ValueTable
}

type Column = string | { readonly column: string; readonly numeric?: true; readonly nullable?: true }

/** Columns `key` and `value`, and those that point at the searched row. */
interface ValueTable {
  readonly table: string
  /** Its column -> the searched row's, written `table.column`. */
  readonly on: Readonly<Record<string, string>>
  /**
   * Has an index on its key and the start of its value. Of a key that nearly all rows have with the same value (that
   * they are prompts) the index is not asked: it would name them all.
   */
  readonly indexed?: { readonly row: string; readonly column: string }
  /** Column that is 1 where the value is NaN (`value` then holds no number of its own). */
  readonly nan?: string
}

export interface CompiledSearch {
  readonly where: RawBuilder<SqlBool>
  /** Never empty; the orders of `filter.ts` end in one that makes them total. */
  readonly orderBy: RawBuilder<unknown>
  /** One more than was asked for: the row that says whether there is a next page. See {@link foundOf}. */
  readonly limit: number
  readonly offset: number
}

/** A search as SQL for either database. */
export function compileSearch(searchable: Searchable, search: Search, dialect: SqlDialect): CompiledSearch {
  const { clauses, prompts } = promptRule(searchable, search.clauses)
  const conditions = clauses.map((clause) => conditionOf(searchable, clause, dialect))
  const plainOnly = prompts || !searchable.promptTags ? [] : [notAPrompt(searchable.promptTags)]
  const orders = search.orderBy.map((order) => orderOf(searchable, order))
  return {
    where: sql<SqlBool>`(${sql.join([sql`1 = 1`, ...plainOnly, ...conditions], sql` and `)})`,
    orderBy: sql.join(orders),
    limit: search.limit + 1,
    offset: search.offset,
  }
}

/** Cuts the look-ahead row off. */
export const foundOf = <T>(rows: readonly T[], { limit }: Pick<Search, 'limit'>): Found<T> => ({
  items: rows.slice(0, limit),
  more: rows.length > limit,
})

/**
 * MLflow's rule: prompts are found only by who asks for them, and only the first clause about it is looked at.
 * Where it does not ask, all such clauses are without effect.
 */
function promptRule(searchable: Searchable, clauses: readonly Clause[]) {
  if (!searchable.promptTags) return { clauses, prompts: true }
  const isAbout = ({ entity, key }: Clause) => entity === 'tag' && key === TAG.isPrompt
  const first = clauses.find(isAbout)
  const says = `${first?.comparator} ${String(first?.value).toLowerCase()}`
  const prompts = says === '= true' || says === '!= false'
  return { clauses: prompts ? clauses : clauses.filter((clause) => !isAbout(clause)), prompts }
}

const notAPrompt = (tags: ValueTable) =>
  sql<SqlBool>`not exists (${rowsOf(tags, TAG.isPrompt)} and kv.value = ${'true'})`

function conditionOf(searchable: Searchable, clause: Clause, dialect: SqlDialect): RawBuilder<SqlBool> {
  const { entity, key, comparator } = clause
  if (entity === 'attribute') {
    const { column, numeric } = columnOf(searchable, key)
    return comparison(column, numeric ? { ...clause, value: numbersOf(clause.value) } : clause, dialect)
  }
  const values = searchable.values[entity]
  if (!values) return comparator === 'IS NULL' ? sql`1 = 1` : sql`1 = 0`
  if (comparator === 'IS NULL') return sql`not exists (${rowsOf(values, key)})`
  if (comparator === 'IS NOT NULL') return sql`exists (${rowsOf(values, key)})`
  if (comparator === '=' && values.indexed && key !== TAG.isPrompt)
    return sql`${sql.ref(values.indexed.row)} in (
      select ${sql.ref(`kv.${values.indexed.column}`)} from ${sql.table(values.table)} as kv
      where kv.key = ${key} and substr(kv.value, 1, 64) = substr(${clause.value}, 1, 64) and kv.value = ${clause.value})`
  // A negated comparison too needs the row: who has no such tag matches neither `=` nor `!=`.
  return sql`exists (${rowsOf(values, key)} and ${valueComparison(values, clause, dialect)})`
}

const rowsOf = ({ table, on }: ValueTable, key: string) =>
  sql`select 1 from ${sql.table(table)} as kv where ${joined(on)} and kv.key = ${key}`

const joined = (on: ValueTable['on']) =>
  sql.join(
    Object.entries(on).map(([inner, outer]) => sql`${sql.ref(`kv.${inner}`)} = ${sql.ref(outer)}`),
    sql` and `,
  )

/** Every comparison with NaN is false, except `!=`. */
function valueComparison({ nan }: ValueTable, clause: Clause, dialect: SqlDialect): RawBuilder<SqlBool> {
  const plain = comparison(sql.ref('kv.value'), clause, dialect)
  if (nan === undefined) return plain
  const isNan = sql`${sql.ref(`kv.${nan}`)} = 1`
  return clause.comparator === '!=' ? sql`(${plain} or ${isNan})` : sql`(${plain} and not ${isNan})`
}

const SYMBOLS = { '=': '=', '!=': '<>', '<': '<', '<=': '<=', '>': '>', '>=': '>=' } as const

function comparison(
  column: RawBuilder<unknown>,
  { comparator, value }: Clause,
  dialect: SqlDialect,
): RawBuilder<SqlBool> {
  switch (comparator) {
    case 'LIKE':
    case 'ILIKE':
      return sql`${dialect.matches(column, String(value), { ignoreCase: comparator === 'ILIKE' })}`
    case 'IN':
    case 'NOT IN': {
      const list = sql.join([value].flat().map(bound))
      return comparator === 'IN' ? sql`${column} in (${list})` : sql`${column} not in (${list})`
    }
    case 'IS NULL':
      return sql`${column} is null`
    case 'IS NOT NULL':
      return sql`${column} is not null`
    default:
      return sql`${column} ${sql.raw(SYMBOLS[comparator])} ${bound(value as string | number)}`
  }
}

/** Postgres would read a number beyond its integers, or one with a fraction, as a broken integer. */
const bound = (value: unknown) =>
  typeof value === 'number' && !Number.isSafeInteger(value)
    ? sql`cast(${value} as double precision)`
    : sql`${value}`

const numbersOf = (value: Clause['value']) => (Array.isArray(value) ? value.map(Number) : Number(value))

function orderOf(searchable: Searchable, { entity, key, ascending }: Order): RawBuilder<unknown> {
  const direction = sql.raw(ascending ? 'asc' : 'desc')
  if (entity === 'attribute') {
    const { column, nullable } = columnOf(searchable, key)
    return nullable
      ? sql`case when ${column} is null then 1 else 0 end, ${column} ${direction}`
      : sql`${column} ${direction}`
  }
  const values = searchable.values[entity]
  if (!values) throw new Error(`a search cannot be ordered by ${entity} ${key}`)
  // Numbers first, then NaN, then what has no such value: whichever the direction.
  const rank = values.nan === undefined ? sql`0` : sql.ref(`kv.${values.nan}`)
  return sql`coalesce((${oneOf(values, key, rank)}), 2), (${oneOf(values, key, sql`kv.value`)}) ${direction}`
}

const oneOf = ({ table, on }: ValueTable, key: string, column: RawBuilder<unknown>) =>
  sql`select ${column} from ${sql.table(table)} as kv where ${joined(on)} and kv.key = ${key}`

function columnOf(searchable: Searchable, key: string) {
  const found = searchable.attributes[key]
  if (found === undefined) throw new Error(`a search knows no attribute ${key}`)
  const { column, ...rest } = typeof found === 'string' ? { column: found } : found
  return { column: sql.ref(column), numeric: false, nullable: false, ...rest }
}
