import { OpenAPIHono } from '@hono/zod-openapi'
import type { Logger } from '@promptkeep/client/protocol'
import type { Hono } from 'hono'
import { type Access, LOOPBACK_ACCESS } from './auth/access.ts'
import { authenticate } from './auth/authenticate.ts'
import { type Authority, createAuthority } from './auth/authority.ts'
import { authorize } from './auth/authorize.ts'
import { noTokenInUrl } from './auth/no-token-in-url.ts'
import type { ServerEnv } from './env.ts'
import type { Live } from './live/live.ts'
import { createLocalLive } from './live/local.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { mlflowBodyLimit, ownBodyLimit } from './middleware/body-limits.ts'
import { hostAndOrigin } from './middleware/host-and-origin.ts'
import { measure } from './middleware/metrics.ts'
import { noWorkspaces } from './middleware/no-workspaces.ts'
import { requestContext } from './middleware/request-context.ts'
import { safeHeaders } from './middleware/safe-headers.ts'
import { timeOut } from './middleware/time-out.ts'
import { noSuchPath, onError } from './on-error.ts'
import { describeApi } from './openapi/describe-api.ts'
import { changeStream } from './routes/change-stream.ts'
import { changes } from './routes/changes.ts'
import { docs } from './routes/docs.ts'
import { fleet } from './routes/fleet.ts'
import { governance } from './routes/governance.ts'
import { health } from './routes/health.ts'
import { metricsRoute } from './routes/metrics.ts'
import { experiments } from './routes/mlflow/experiments.ts'
import { metricHistory } from './routes/mlflow/metric-history.ts'
import { modelVersions } from './routes/mlflow/model-versions.ts'
import { registeredModels } from './routes/mlflow/registered-models.ts'
import { runs } from './routes/mlflow/runs.ts'
import { policies } from './routes/policies.ts'
import { resolve } from './routes/resolve.ts'
import { rollback } from './routes/rollback.ts'
import { rollout } from './routes/rollout.ts'
import { tokens } from './routes/tokens.ts'
import { whoami } from './routes/whoami.ts'
import type { Store } from './store/store.ts'

const MLFLOW = ['/api/2.0/mlflow', '/ajax-api/2.0/mlflow']
const OWN = '/api/promptkeep/1.0'

export interface AppDeps {
  readonly store: Store
  readonly log: Logger
  readonly newId: () => string
  /** Milliseconds that only grow. */
  readonly elapsedMs: () => number
  /** 0 ≤ n < 1; names runs that come without a name. */
  readonly random: () => number
  /** Milliseconds since the epoch, as tokens expire by. Default `Date.now`. */
  readonly now?: () => number
  /** Judges tokens. Default: one for `store`. */
  readonly authority?: Authority
  /** From where and how often it may be asked. Default: from this machine, as often as anybody likes. */
  readonly access?: Access
  /** How long a handler may take; 0: as long as it needs. Default 30,000. */
  readonly requestTimeoutMs?: number
  /** Default: those of `store`, without those of the process. */
  readonly metrics?: Metrics
  /** Where live changes come from. Default: one for `store`, which looks once a second. */
  readonly live?: Live
  /** Milliseconds between two beats of a stream. Default 15,000. */
  readonly heartbeatMs?: number
  /** Streams open at once. Default 20,000. */
  readonly maxStreams?: number
}

/** Middleware, routes, and the one `onError`. Needs no port: `app.request()` works in tests. */
export function createApp({
  store,
  log,
  newId,
  elapsedMs,
  random,
  now = Date.now,
  authority = createAuthority(store.tokens, { log, now, elapsedMs }),
  access = LOOPBACK_ACCESS,
  heartbeatMs = 15_000,
  maxStreams = 20_000,
  live = createLocalLive({ changes: store.changes, heartbeatMs, log }),
  requestTimeoutMs = 30_000,
  metrics = createMetrics({ store, log, elapsedMs }),
}: AppDeps): Hono<ServerEnv> {
  const app = new OpenAPIHono<ServerEnv>() // collects what its routers say of themselves
  app.onError(onError(log))
  app.use(measure(metrics, elapsedMs))
  app.use(requestContext({ log, newId, elapsedMs }))
  app.use(timeOut(requestTimeoutMs))
  app.use(safeHeaders)
  app.use(noTokenInUrl)
  app.use(hostAndOrigin(access))
  app.use(authenticate({ authority, access, log, elapsedMs }))
  app.use(authorize)

  app.route('/', health(store, log))
  app.route('/', metricsRoute(metrics))
  app.use(`${OWN}/*`, ownBodyLimit)
  app.route(
    OWN,
    docs(() => describeApi(app)),
  )
  app.route(OWN, governance(store, log))
  app.route(OWN, policies(store, log))
  app.route(OWN, fleet(store))
  app.route(
    OWN,
    changeStream({
      live,
      log,
      heartbeatMs,
      maxStreams,
      onOpen: metrics.streamOpened,
      onClose: metrics.streamClosed,
    }),
  )
  app.route(OWN, changes(store))
  app.route(OWN, resolve(store))
  app.route(OWN, rollback(store, log))
  app.route(OWN, rollout(store, log))
  app.route(OWN, whoami(authority))
  app.route(OWN, tokens(store, authority, log, now))
  for (const base of MLFLOW) {
    app.use(`${base}/*`, mlflowBodyLimit, noWorkspaces)
    app.route(base, registeredModels(store, log))
    app.route(base, modelVersions(store))
    app.route(base, experiments(store))
    app.route(base, runs(store, random))
    app.route(base, metricHistory(store))
  }

  const methods = methodsByPath(app)
  app.notFound((c) => {
    const allowed = methods.get(c.req.path) ?? []
    if (c.req.method !== 'OPTIONS' || allowed.length === 0) return noSuchPath(c, allowed)
    return c.body(null, 204, { Allow: allowed.join(', ') })
  })
  return app
}

/** What each path answers, for 405 and OPTIONS: the router itself knows no difference to a path that is not there. */
function methodsByPath(app: Hono<ServerEnv>): Map<string, string[]> {
  const methods = new Map<string, string[]>()
  for (const { path, method } of app.routes) {
    if (method === 'ALL') continue
    const known = methods.get(path) ?? []
    const added = method === 'GET' ? ['GET', 'HEAD'] : [method]
    methods.set(path, [...new Set([...known, ...added])])
  }
  for (const [path, known] of methods) methods.set(path, [...known, 'OPTIONS'])
  return methods
}
