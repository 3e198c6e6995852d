export { postgresSql, type SqlDialect, sqliteSql } from './dialect.ts'
export { SqlError, type SqlErrorCode } from './errors.ts'
export { type AppliedMigration, type Migration, migrate } from './migrate.ts'
export { type Database, type OpenOptions, openDatabase } from './open.ts'
