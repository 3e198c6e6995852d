import { Conflict, type ErrorCode, RegistryError } from './errors.ts'

/** What a request was about, for messages that help. */
export interface Subject {
  readonly name?: string | undefined
  readonly alias?: string | undefined
  readonly version?: number | undefined
  /** Where it was asked: never holds credentials. */
  readonly address: string
}

/** Absence in our words: which prompt, which alias or version, and who said so. */
export function absence(
  code: 'PROMPT_NOT_FOUND' | 'ALIAS_NOT_FOUND' | 'VERSION_NOT_FOUND',
  on: Subject,
): string {
  const prompt = `prompt ${JSON.stringify(on.name ?? '?')}`
  if (code === 'ALIAS_NOT_FOUND') return `${prompt} has no alias "${on.alias}" at ${on.address}`
  if (code === 'PROMPT_NOT_FOUND') return `there is no ${prompt} at ${on.address}`
  const ofAlias = on.alias === undefined || on.alias === 'latest' ? 'at all' : `behind alias "${on.alias}"`
  return `${prompt} has no version ${on.version ?? ofAlias} at ${on.address}`
}

/**
 * An HTTP answer that is no success, as one of our errors. MLflow says a missing alias with 400 and a missing
 * prompt or version with 404; a 404 without its error code comes from something that is no registry.
 */
export function errorFromWire(status: number, body: unknown, on: Subject): RegistryError {
  const { error_code: mlflowCode, message, current } = readBody(body)
  const options = { status, ...(mlflowCode !== undefined && { mlflowCode }) }
  const code = codeOf(status, mlflowCode, message, on)
  const said = message === '' ? '' : `: ${message}`
  const about = on.name === undefined ? '' : ` prompt "${on.name}"`
  switch (code) {
    case 'PROMPT_NOT_FOUND':
    case 'ALIAS_NOT_FOUND':
    case 'VERSION_NOT_FOUND':
      // Of a rollback or a rollout the server knows more: which version it was, and what else can be done.
      return new RegistryError(code, OF_ROLLBACK.test(message) ? message : absence(code, on), options)
    case 'CONFLICT':
      return new Conflict(message || `conflict on${about} at ${on.address}`, current, options)
    case 'UNAUTHENTICATED': {
      // Our server says what is wrong with them; a stock one, or what stands before it, mostly says nothing.
      const refused = `${on.address} asks for credentials, or refuses those it was sent (HTTP 401)`
      const help = ': set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD'
      return new RegistryError(
        code,
        `${refused}${mlflowCode === 'UNAUTHENTICATED' ? '' : help}${said}`,
        options,
      )
    }
    case 'FORBIDDEN':
      return new RegistryError(
        code,
        `${on.address} does not allow this${about && ` for${about}`} (HTTP 403)${said}`,
        options,
      )
    case 'INVALID_INPUT':
      return new RegistryError(
        code,
        `${on.address} refused the request${about && ` for${about}`} (HTTP ${status})${said}`,
        options,
      )
    default:
      return new RegistryError(code, `${on.address} ${outageText(status)}${said}`, options)
  }
}

const OF_ROLLBACK = /^Version \d+ of /

function codeOf(status: number, mlflowCode: string | undefined, message: string, on: Subject): ErrorCode {
  if (status === 404 && mlflowCode === 'RESOURCE_DOES_NOT_EXIST') {
    if (message.startsWith('Workspace ')) return 'INVALID_INPUT'
    if (/^(Registered Model|Prompt) with name=/.test(message)) return 'PROMPT_NOT_FOUND'
    if (OF_ROLLBACK.test(message) || /^(Model Version|Latest version|Prompt \(name=.*version=)/.test(message))
      return 'VERSION_NOT_FOUND'
    return on.version === undefined ? 'PROMPT_NOT_FOUND' : 'VERSION_NOT_FOUND'
  }
  if (status === 400) {
    return /^Registered model alias .* not found\.$/s.test(message) ? 'ALIAS_NOT_FOUND' : 'INVALID_INPUT'
  }
  if (status === 401) return 'UNAUTHENTICATED'
  if (status === 403) return 'FORBIDDEN'
  if (status === 409) return 'CONFLICT'
  // Too large, too long, not processable: the same request would fail again.
  if ([411, 413, 414, 415, 422, 431].includes(status)) return 'INVALID_INPUT'
  return 'UNAVAILABLE'
}

function outageText(status: number): string {
  if (status === 404 || status === 405) {
    return `is no registry: it does not know this path (HTTP ${status}); check the tracking URI`
  }
  return status === 429 ? 'is asked too often (HTTP 429)' : `cannot answer now (HTTP ${status})`
}

function readBody(body: unknown): { error_code?: string; message: string; current: number | null } {
  const it = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {}
  return {
    ...(typeof it.error_code === 'string' && { error_code: it.error_code }),
    message: typeof it.message === 'string' ? it.message.slice(0, 500) : '',
    current: typeof it.current === 'number' ? it.current : null,
  }
}
