/** What went wrong below the queries. `CANNOT_OPEN` covers a missing folder, a wrong file and a silent server. */
export type SqlErrorCode =
  | 'INVALID_URL'
  | 'CANNOT_OPEN'
  | 'NEWER_DATABASE'
  | 'CHANGED_MIGRATION'
  | 'BAD_VALUE'
  | 'BAD_STATEMENT'

/** Thrown on purpose by this package; what the database itself refuses keeps the driver's own error. */
export class SqlError extends Error {
  readonly code: SqlErrorCode

  constructor(code: SqlErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SqlError'
    this.code = code
  }
}
