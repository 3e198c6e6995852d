import type { Role } from '@promptkeep/client/protocol'

/** What a route asks for. `open`: nothing, not even a token. */
export type Permission = 'open' | 'read' | 'write' | 'move' | 'evaluate' | 'admin'

/** Which roles may; one of a token's roles is enough. */
export const MAY = {
  read: ['reader', 'writer', 'evaluator', 'promoter', 'admin'],
  write: ['writer', 'admin'],
  move: ['writer', 'promoter', 'admin'],
  // Not writers: who writes prompts must not also write the evidence that they are good.
  evaluate: ['evaluator', 'admin'],
  admin: ['admin'],
} as const satisfies Readonly<Record<Exclude<Permission, 'open'>, readonly Role[]>>

const OWN = '/api/promptkeep/1.0'
const MLFLOW = ['/api/2.0/mlflow', '/ajax-api/2.0/mlflow']

const SYSTEM: Readonly<Record<string, Permission>> = {
  'GET /health': 'open',
  'GET /ready': 'open',
  'GET /version': 'open',
  'GET /metrics': 'read',
  'GET /api/3.0/mlflow/server-info': 'open',
  'GET /ajax-api/3.0/mlflow/server-info': 'open',
}

const OURS: Readonly<Record<string, Permission>> = {
  'GET /openapi.json': 'open',
  'GET /docs': 'open',
  'GET /capabilities': 'read',
  'GET /whoami': 'read',
  'GET /changes': 'read',
  'GET /resolve': 'read',
  'POST /seed': 'write',
  'POST /alias': 'move',
  'POST /rollout': 'move',
  'POST /rollback': 'move',
  'GET /tokens': 'admin',
  'POST /tokens': 'admin',
  'POST /tokens/revoke': 'admin',
  'GET /fleet': 'read',
  'POST /fleet': 'read',
  'GET /policies': 'read',
  'POST /policies': 'admin',
  'POST /policies/remove': 'admin',
}

const MLFLOWS: Readonly<Record<string, Permission>> = {
  'POST /registered-models/create': 'write',
  'GET /registered-models/get': 'read',
  'PATCH /registered-models/update': 'write',
  'POST /registered-models/rename': 'write',
  'DELETE /registered-models/delete': 'write',
  'GET /registered-models/search': 'read',
  'GET /registered-models/get-latest-versions': 'read',
  'POST /registered-models/get-latest-versions': 'read',
  'POST /registered-models/set-tag': 'write',
  'DELETE /registered-models/delete-tag': 'write',
  'GET /registered-models/alias': 'read',
  'POST /registered-models/alias': 'move',
  'DELETE /registered-models/alias': 'move',
  'POST /model-versions/create': 'write',
  'GET /model-versions/get': 'read',
  'PATCH /model-versions/update': 'write',
  'DELETE /model-versions/delete': 'write',
  'GET /model-versions/search': 'read',
  'GET /model-versions/get-download-uri': 'read',
  'POST /model-versions/transition-stage': 'write',
  'POST /model-versions/set-tag': 'write',
  'DELETE /model-versions/delete-tag': 'write',
  'POST /experiments/create': 'evaluate',
  'GET /experiments/get': 'read',
  'GET /experiments/get-by-name': 'read',
  'GET /experiments/search': 'read',
  'POST /experiments/search': 'read',
  'POST /runs/create': 'evaluate',
  'GET /runs/get': 'read',
  'POST /runs/update': 'evaluate',
  'POST /runs/log-metric': 'evaluate',
  'POST /runs/log-parameter': 'evaluate',
  'POST /runs/set-tag': 'evaluate',
  'POST /runs/log-batch': 'evaluate',
  'POST /runs/search': 'read',
  'GET /metrics/get-history': 'read',
}

/** `METHOD /path` of every route to what it asks for. A route without a row answers nobody. */
export const PERMISSIONS: ReadonlyMap<string, Permission> = new Map([
  ...Object.entries(SYSTEM),
  ...under(OWN, OURS),
  ...MLFLOW.flatMap((base) => under(base, MLFLOWS)),
])

function under(base: string, rows: Readonly<Record<string, Permission>>): [string, Permission][] {
  return Object.entries(rows).map(([route, permission]) => [route.replace(' ', ` ${base}`), permission])
}

/** HEAD asks what GET does. */
export const permissionOf = (method: string, path: string): Permission | undefined =>
  PERMISSIONS.get(`${method === 'HEAD' ? 'GET' : method} ${path}`)

export const may = (roles: readonly Role[], permission: Permission): boolean =>
  permission === 'open' || roles.some((role) => (MAY[permission] as readonly Role[]).includes(role))
