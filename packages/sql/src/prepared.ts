import { type CompiledQuery, type Kysely, PostgresAdapter, type RawBuilder } from 'kysely'
import { postgresSql, type SqlDialect, sqliteSql } from './dialect.ts'

/** A database, or a transaction of it. */
export type Executor = Pick<Kysely<unknown>, 'executeQuery' | 'getExecutor'>

/** Runs the statement. @returns Its rows: those of a `select`, or what `returning` names. */
export type Prepared<P, R> = (db: Executor, parameters: P) => Promise<readonly R[]>

/**
 * A statement whose SQL is put together once and not at every call: for what each look-up or each write runs, where
 * putting it together costs more than running it.
 *
 * @param build - The SQL; `of('name')` stands where that parameter goes, as often as it is needed
 */
export function prepared<P extends object, R>(
  build: (of: (name: keyof P & string) => unknown, dialect: SqlDialect) => RawBuilder<R>,
): Prepared<P, R> {
  const texts = new WeakMap<SqlDialect, Text<P, R>>()

  function textFor(db: Executor): Text<P, R> {
    const dialect = dialectOf(db)
    const known = texts.get(dialect)
    if (known) return known
    const slots = new Map<unknown, keyof P>()
    function of(name: keyof P & string): unknown {
      const slot = { name }
      slots.set(slot, name)
      return slot
    }
    const query = build(of, dialect).compile(db)
    const values = query.parameters.map((one) => {
      const name = slots.get(one)
      return name === undefined ? () => one : (parameters: P) => parameters[name]
    })
    const text = { query, values }
    texts.set(dialect, text)
    return text
  }

  return async (db, parameters) => {
    const { query, values } = textFor(db)
    const bound = { ...query, parameters: values.map((value) => value(parameters)) }
    return (await db.executeQuery<R>(bound)).rows
  }
}

/** A compiled query, and where the value of each of its parameters comes from. */
interface Text<P, R> {
  readonly query: CompiledQuery<R>
  readonly values: readonly ((parameters: P) => unknown)[]
}

const dialectOf = (db: Executor): SqlDialect =>
  db.getExecutor().adapter instanceof PostgresAdapter ? postgresSql : sqliteSql
