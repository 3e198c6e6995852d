/** Ours, and stable. */
export const ERROR_CODES = [
  'PROMPT_NOT_FOUND',
  'VERSION_NOT_FOUND',
  'ALIAS_NOT_FOUND',
  'INVALID_INPUT',
  'MISSING_VARIABLES',
  'CONFLICT',
  'DIGEST_MISMATCH',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'UNAVAILABLE',
  'TIMEOUT',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

export interface RegistryErrorOptions {
  readonly cause?: unknown
  /** MLflow's `error_code` as the wire said it, or as it must be said when it differs from `WIRE`. */
  readonly mlflowCode?: string
  /** HTTP status as the wire said it, or as it must be said when it differs from `WIRE`. */
  readonly status?: number
}

/** Base of everything thrown on purpose. Callers branch on `code`, never on `message` or `instanceof`. */
export class RegistryError extends Error {
  readonly code: ErrorCode
  // `declare`: a field without a value would be an own property that says `undefined` wherever an error is printed.
  declare readonly mlflowCode?: string
  declare readonly status?: number

  constructor(code: ErrorCode, message: string, options: RegistryErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    if (options.mlflowCode !== undefined) this.mlflowCode = options.mlflowCode
    if (options.status !== undefined) this.status = options.status
  }

  /** With the message, which JSON leaves out of errors: log fields are data. */
  toJSON(): object {
    return { ...this, message: this.message }
  }
}

/** No prompt (or plain model) of this name. The text is MLflow's own. */
export class PromptNotFound extends RegistryError {
  constructor(name: string, options?: RegistryErrorOptions) {
    super('PROMPT_NOT_FOUND', `Registered Model with name=${name} not found`, options)
  }
}

/** No such version, or a deleted one. The text is MLflow's own. */
export class VersionNotFound extends RegistryError {
  constructor(name: string, version: number | string, options?: RegistryErrorOptions) {
    super('VERSION_NOT_FOUND', `Model Version (name=${name}, version=${version}) not found`, options)
  }
}

/** The prompt exists and has no such alias: 400 on the wire, not 404. The text is MLflow's own. */
export class AliasNotFound extends RegistryError {
  constructor(alias: string, options?: RegistryErrorOptions) {
    super('ALIAS_NOT_FOUND', `Registered model alias ${alias} not found.`, options)
  }
}

/** Bad input: `message` names the field, what was given and what is allowed. */
export class InvalidInput extends RegistryError {
  constructor(message: string, options?: RegistryErrorOptions) {
    super('INVALID_INPUT', message, options)
  }
}

/** A compare-and-set lost: `current` is the version that the alias says now, or `null` when it is unset. */
export class Conflict extends RegistryError {
  readonly current: number | null

  constructor(message: string, current: number | null, options?: RegistryErrorOptions) {
    super('CONFLICT', message, options)
    this.current = current
  }
}

/** Outage: nobody answered, or nothing that can be read. Absence and refusal are other codes. */
export const isOutage = (error: unknown): boolean => hasCode(error, 'UNAVAILABLE', 'TIMEOUT')

/** Absence: a registry answered, and says there is no such prompt, version or alias. */
export const isAbsence = (error: unknown): boolean =>
  hasCode(error, 'PROMPT_NOT_FOUND', 'VERSION_NOT_FOUND', 'ALIAS_NOT_FOUND')

/** True when `error` is one of ours, from any copy of this package, with one of `codes`. */
export function hasCode(error: unknown, ...codes: ErrorCode[]): boolean {
  return error instanceof Error && 'code' in error && (codes as unknown[]).includes(error.code)
}

/** True when `error` is one of ours, from any copy of this package. */
export const isRegistryError = (error: unknown): error is RegistryError => hasCode(error, ...ERROR_CODES)

/** A transport that throws or answers what it must not is broken: an outage like any other. */
export function brokenTransport(address: string, cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', `${address} cannot be asked: ${String(cause)}`, { cause })
}
