import { InvalidInput } from './errors.ts'
import type { Env } from './platform.ts'
import { refuse } from './refuse.ts'

/** Where the registry is, and what every request to it carries. */
export interface Connection {
  /** Origin and path without a final slash; never holds credentials. */
  readonly address: string
  readonly headers: Readonly<Record<string, string>>
  /** Tells servers, workspaces and credentials apart, without holding a secret. */
  readonly scope: string
}

/**
 * Reads the tracking URI and the credentials as MLflow's own client does: user and password in the address,
 * then `MLFLOW_TRACKING_USERNAME` with `MLFLOW_TRACKING_PASSWORD`, then `MLFLOW_TRACKING_TOKEN`.
 * `~/.mlflow/credentials` is not read: a client that also runs on edge workers has no files.
 * @throws {InvalidInput} without repeating a secret
 */
export function readConnection(trackingUri: string, env: Env): Connection {
  const url = parseAddress(trackingUri)
  const {
    MLFLOW_TRACKING_USERNAME: user,
    MLFLOW_TRACKING_PASSWORD: password,
    MLFLOW_TRACKING_TOKEN: token,
  } = env
  const inAddress = url.username !== '' || url.password !== ''
  const authorization = inAddress
    ? basic(decode(url.username), decode(url.password))
    : user && password
      ? basic(user, password)
      : token
        ? `Bearer ${checkHeader('MLFLOW_TRACKING_TOKEN', token)}`
        : undefined
  const workspace = env.MLFLOW_WORKSPACE ? checkHeader('MLFLOW_WORKSPACE', env.MLFLOW_WORKSPACE) : undefined
  const address = `${url.origin}${url.pathname.replace(/\/+$/, '')}`
  return {
    address,
    headers: {
      ...(authorization !== undefined && { authorization }),
      ...(workspace !== undefined && { 'x-mlflow-workspace': workspace }),
    },
    scope: [address, workspace ?? '', hashOf(authorization ?? '')].join(' '),
  }
}

function parseAddress(trackingUri: string): URL {
  const url = URL.canParse(trackingUri) ? new URL(trackingUri) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  refuse(
    'trackingUri',
    withoutCredentials(trackingUri),
    'an http or https address, such as http://127.0.0.1:5055',
  )
}

/** Of any text: everything before an @, and what follows a ?, may be a secret. */
const withoutCredentials = (text: string) => text.replace(/^(\w+:\/\/)?.*@/s, '$1…@').replace(/[?#].*/s, '')

function basic(user: string, password: string): string {
  const bytes = new TextEncoder().encode(`${user}:${password}`)
  return `Basic ${btoa(String.fromCharCode(...bytes))}`
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

function checkHeader(variable: string, value: string): string {
  if (/^[\x20-\x7e]+$/.test(value)) return value
  throw new InvalidInput(`${variable} must hold printable ASCII characters only: it is sent as a header`)
}

/** FNV-1a: enough to tell two credentials apart, too little to guess one from. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(16)
}
