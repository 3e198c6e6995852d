import type { Logger } from '@promptkeep/client/protocol'
import { Hono } from 'hono'
import type { ServerEnv } from '../env.ts'
import type { Store } from '../store/store.ts'
import { MLFLOW_VERSION, VERSION } from '../version.ts'

/** What MLflow's clients ask before they use something that not every server has. */
const SERVER_INFO = {
  store_type: 'SqlStore',
  workspaces_enabled: false,
  trace_archival_enabled: false,
  multipart_uploads_enabled: false,
  multipart_downloads_enabled: false,
  presigned_upload_run_id_supported: false,
  presigned_upload_model_id_supported: false,
  features_enabled: { gateway: false },
}

/** Liveness and version in MLflow's form, and readiness: whether the database answers. */
export const health = (store: Store, log: Logger) =>
  new Hono<ServerEnv>()
    .get('/health', (c) => c.text('OK'))
    .get('/version', (c) => c.text(MLFLOW_VERSION))
    .get('/api/3.0/mlflow/server-info', (c) => c.json(SERVER_INFO))
    .get('/ajax-api/3.0/mlflow/server-info', (c) => c.json(SERVER_INFO))
    .get('/ready', async (c) => {
      try {
        await store.ping()
        return c.json({ status: 'ready', version: VERSION, database: 'ok' })
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        log.warn({ correlationId: c.get('correlationId'), err: { message: reason } }, 'database.unavailable')
        return c.json({ status: 'unavailable', version: VERSION, database: 'does not answer' }, 503)
      }
    })
