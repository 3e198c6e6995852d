import { type Expression, type RawBuilder, sql } from 'kysely'

/**
 * Every difference between the two databases that the queries of this project meet. Shared code never asks which
 * database it has: it asks the dialect.
 */
export interface SqlDialect {
  readonly name: 'sqlite' | 'postgres'
  /** Column types for migrations, as SQL. Text sorts and compares by code point on both. */
  readonly types: {
    readonly text: string
    /** 64 bit; read as a JavaScript number. */
    readonly integer: string
    readonly real: string
  }
  /** Goes behind the closing parenthesis of `create table`. SQLite then checks types as Postgres does. */
  readonly tableOptions: string
  /** Takes the one lock that keeps two processes from migrating at once; held until the transaction ends. */
  readonly lockForMigration: RawBuilder<unknown> | undefined
  /** Whether rows are locked one by one; else a transaction holds the whole database from its first moment on. */
  readonly locksRows: boolean
  /** `for update` where rows are locked one by one; nothing where a transaction already holds the database. */
  readonly forUpdate: RawBuilder<unknown>
  /**
   * LIKE with `%` and `_` and no escape character. Ignoring case folds ASCII letters only, on both databases.
   */
  matches(
    column: Expression<unknown>,
    pattern: string,
    options?: { ignoreCase?: boolean },
  ): RawBuilder<boolean>
  /** JSON text of an array over the rows of a subquery, each an array of `columns`, in `order`; `[]` for none. */
  jsonRows(columns: readonly RawBuilder<unknown>[], order: RawBuilder<unknown>): RawBuilder<string>
  /** Whether `error` says that a unique or primary key is taken. */
  isUniqueViolation(error: unknown): boolean
}

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '')

export const sqliteSql: SqlDialect = {
  name: 'sqlite',
  types: { text: 'text', integer: 'integer', real: 'real' },
  tableOptions: 'strict',
  lockForMigration: undefined,
  locksRows: false,
  forUpdate: sql``,
  matches: (column, pattern, { ignoreCase = false } = {}) =>
    // SQLite's LIKE ignores case whether asked to or not; GLOB does not.
    ignoreCase ? sql`${column} like ${pattern}` : sql`${column} glob ${globOf(pattern)}`,
  jsonRows: (columns, order) => sql`json_group_array(json_array(${sql.join(columns)}) order by ${order})`,
  isUniqueViolation: (error) =>
    ['SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY'].includes(codeOf(error)),
}

export const postgresSql: SqlDialect = {
  name: 'postgres',
  types: { text: 'text collate "C"', integer: 'bigint', real: 'double precision' },
  tableOptions: '',
  // Any number, as long as nobody else in this database uses it: "PK" and one.
  lockForMigration: sql`select pg_advisory_xact_lock(20555001)`,
  locksRows: true,
  forUpdate: sql`for update`,
  matches: (column, pattern, { ignoreCase = false } = {}) =>
    ignoreCase ? sql`${column} ilike ${pattern} escape ''` : sql`${column} like ${pattern} escape ''`,
  jsonRows: (columns, order) =>
    sql`coalesce(json_agg(json_build_array(${sql.join(columns)}) order by ${order}), '[]')::text`,
  isUniqueViolation: (error) => codeOf(error) === '23505',
}

/** A LIKE pattern as a GLOB: its own wildcards become one-character sets. */
const globOf = (pattern: string) =>
  pattern.replace(/[*?[%_]/g, (char) => (char === '%' ? '*' : char === '_' ? '?' : `[${char}]`))
