/**
 * What went wrong below the queries. `CANNOT_OPEN` covers a missing folder, a wrong file and a silent server;
 * `UNAVAILABLE` an open database that cannot be reached, is locked or full: the same may succeed later; `DAMAGED` one
 * whose file or tables are broken, which only a backup mends. Messages of these two name no host and no path; `cause`
 * is what the driver said.
 */
export type SqlErrorCode =
  | 'INVALID_URL'
  | 'CANNOT_OPEN'
  | 'UNAVAILABLE'
  | 'DAMAGED'
  | 'NEWER_DATABASE'
  | 'CHANGED_MIGRATION'
  | 'BAD_VALUE'
  | 'BAD_STATEMENT'

/** Thrown on purpose by this package; a statement that the database refuses keeps the driver's own error. */
export class SqlError extends Error {
  readonly code: SqlErrorCode

  constructor(code: SqlErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SqlError'
    this.code = code
  }
}
