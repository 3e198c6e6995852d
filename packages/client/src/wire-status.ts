import type { ErrorCode } from './errors.ts'

/**
 * What each of our codes says on MLflow's wire: a server answers from it. (A client reads more than this, as MLflow and
 * what stands before it answer: `wire-error.ts`.)
 */
export const WIRE = {
  PROMPT_NOT_FOUND: { status: 404, mlflowCode: 'RESOURCE_DOES_NOT_EXIST' },
  VERSION_NOT_FOUND: { status: 404, mlflowCode: 'RESOURCE_DOES_NOT_EXIST' },
  ALIAS_NOT_FOUND: { status: 400, mlflowCode: 'INVALID_PARAMETER_VALUE' },
  INVALID_INPUT: { status: 400, mlflowCode: 'INVALID_PARAMETER_VALUE' },
  MISSING_VARIABLES: { status: 400, mlflowCode: 'INVALID_PARAMETER_VALUE' },
  CONFLICT: { status: 409, mlflowCode: 'RESOURCE_CONFLICT' },
  DIGEST_MISMATCH: { status: 409, mlflowCode: 'RESOURCE_CONFLICT' },
  UNAUTHENTICATED: { status: 401, mlflowCode: 'UNAUTHENTICATED' },
  FORBIDDEN: { status: 403, mlflowCode: 'PERMISSION_DENIED' },
  UNAVAILABLE: { status: 503, mlflowCode: 'TEMPORARILY_UNAVAILABLE' },
  TIMEOUT: { status: 504, mlflowCode: 'TEMPORARILY_UNAVAILABLE' },
} as const satisfies Readonly<Record<ErrorCode, { status: number; mlflowCode: string }>>
