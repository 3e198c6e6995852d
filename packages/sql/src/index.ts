export type { SqlDialect } from './dialect.ts'
export { SqlError, type SqlErrorCode } from './errors.ts'
export type { Migration } from './migrate.ts'
export { type Database, type OpenOptions, openDatabase } from './open.ts'
