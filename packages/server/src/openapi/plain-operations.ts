import { MLFLOW_VERSION, VERSION } from '../version.ts'
import type { Content, Operation } from './document.ts'

const absentPart = { type: 'boolean', const: false, description: 'not here' }
const ABSENT_PARTS = [
  'workspaces_enabled',
  'trace_archival_enabled',
  'multipart_uploads_enabled',
  'multipart_downloads_enabled',
  'presigned_upload_run_id_supported',
  'presigned_upload_model_id_supported',
]

/** Routes that read nothing and answer texts or fixed shapes, by `METHOD /path`. */
export const PLAIN_OPERATIONS: Readonly<Record<string, Operation>> = {
  'GET /health': plain('Whether the process answers, as MLflow’s server says it.', textOf('OK')),
  'GET /version': plain('The MLflow version whose protocol is spoken.', textOf(MLFLOW_VERSION)),
  'GET /ready': {
    summary: 'Whether the database answers, too: for load balancers.',
    responses: {
      200: { description: 'Ready.', content: ready('ready', 'ok') },
      503: { description: 'The database does not answer.', content: ready('unavailable', 'does not answer') },
    },
  },
  'GET /metrics': plain('Counters and times in the Prometheus text format.', {
    'text/plain': { schema: { type: 'string' } },
  }),
  'GET /api/3.0/mlflow/server-info': plain('What MLflow’s clients ask before they use an optional part.', {
    'application/json': {
      schema: {
        type: 'object',
        properties: {
          store_type: { type: 'string', description: 'always SqlStore' },
          ...Object.fromEntries(ABSENT_PARTS.map((name) => [name, absentPart])),
          features_enabled: {
            type: 'object',
            properties: { gateway: absentPart },
            required: ['gateway'],
            description: 'further parts',
          },
        },
        required: ['store_type', ...ABSENT_PARTS, 'features_enabled'],
      },
    },
  }),
  'GET /api/promptkeep/1.0/openapi.json': plain('This description, as OpenAPI 3.1.', {
    'application/json': { schema: { type: 'object' } },
  }),
  'GET /api/promptkeep/1.0/docs': plain('This description, as a page.', {
    'text/html': { schema: { type: 'string' } },
  }),
}

function plain(summary: string, content: Content): Operation {
  return { summary, responses: { 200: { description: 'The answer.', content } } }
}

function textOf(example: string): Content {
  return { 'text/plain': { schema: { type: 'string' }, example } }
}

function ready(status: string, database: string): Content {
  return {
    'application/json': {
      schema: {
        type: 'object',
        properties: {
          status: { const: status, description: 'in one word' },
          version: { type: 'string', description: 'of Promptkeep' },
          database: { const: database, description: 'what is known of it' },
        },
        required: ['status', 'version', 'database'],
      },
      example: { status, version: VERSION, database },
    },
  }
}
