import type { Logger } from '@promptkeep/client/protocol'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { permissionOf } from './auth/permissions.ts'
import type { Store } from './store/store.ts'
import { VERSION } from './version.ts'

/** What a Prometheus server asks for. Labels have few values each: never a name of a prompt, an actor or a raw path. */
export interface Metrics {
  /** A request that was answered. */
  answered(request: { method: string; path: string; status: number; ms: number }): void
  streamOpened(): void
  /** @param reason - As `EndReason` of the live part. */
  streamClosed(reason: string): void
  /** Reads the database for what is counted there. Never throws: a database that does not answer is a value, too. */
  render(): Promise<{ readonly text: string; readonly contentType: string }>
}

export interface MetricsDeps {
  readonly store: Pick<Store, 'ping' | 'changes'>
  readonly log: Logger
  /** Milliseconds that only grow. */
  readonly elapsedMs: () => number
  /** With those of the process (memory, event loop, garbage collection), which are watched from then on. Default false. */
  readonly ofProcess?: boolean
}

/** From a look-up that is answered from memory to the request time-out. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const REFUSALS: Readonly<Record<number, string>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  429: 'rate_limited',
}

export function createMetrics({ store, log, elapsedMs, ofProcess = false }: MetricsDeps): Metrics {
  const registry = new Registry()
  const registers = [registry]
  if (ofProcess) collectDefaultMetrics({ register: registry, prefix: 'promptkeep_' })

  const requests = new Histogram({
    name: 'promptkeep_http_request_duration_seconds',
    help: 'Time from a request to its answer; of a stream, to its start.',
    labelNames: ['route', 'method', 'status'],
    buckets: SECONDS,
    registers,
  })
  const refused = new Counter({
    name: 'promptkeep_http_refused_total',
    help: 'Requests that were refused to who asked: no valid token, not allowed, too often.',
    labelNames: ['reason'],
    registers,
  })
  for (const reason of Object.values(REFUSALS)) refused.inc({ reason }, 0)
  const changes = new Counter({
    name: 'promptkeep_changes_total',
    help: 'Changes logged in the database since this process started, by whomever.',
    labelNames: ['kind'],
    registers,
  })
  const head = new Gauge({
    name: 'promptkeep_change_seq',
    help: 'Number of the last change in the log.',
    registers,
  })
  const open = new Gauge({
    name: 'promptkeep_streams_open',
    help: 'Streams of live changes that are open.',
    registers,
  })
  const closed = new Counter({
    name: 'promptkeep_streams_closed_total',
    help: 'Streams of live changes that ended, by reason.',
    labelNames: ['reason'],
    registers,
  })
  const up = new Gauge({
    name: 'promptkeep_database_up',
    help: '1 while the database answers.',
    registers,
  })
  const latency = new Gauge({
    name: 'promptkeep_database_ping_seconds',
    help: 'How long the database took to answer, just now.',
    registers,
  })
  new Gauge({
    name: 'promptkeep_build_info',
    help: 'Always 1; the labels tell which program this is.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version: VERSION, node: process.version }, 1)

  let counted: number | undefined
  // One reading after the other: two at once would count the same changes twice.
  let reading: Promise<void> = Promise.resolve()

  async function readDatabase(): Promise<void> {
    const startedMs = elapsedMs()
    try {
      await store.ping()
      latency.set((elapsedMs() - startedMs) / 1000)
      counted ??= (await store.changes.bounds()).last
      const { last, kinds } = await store.changes.countAfter(counted)
      for (const [kind, count] of Object.entries(kinds)) changes.inc({ kind }, count)
      counted = last
      head.set(last)
      up.set(1)
    } catch (error) {
      up.set(0)
      const message = error instanceof Error ? error.message : String(error)
      log.warn({ err: { message } }, 'database.unavailable')
    }
  }

  return {
    answered({ method, path, status, ms }) {
      requests.observe(labelsOf(method, path, status), ms / 1000)
      const reason = REFUSALS[status]
      if (reason !== undefined) refused.inc({ reason })
    },
    streamOpened: () => open.inc(),
    streamClosed(reason) {
      open.dec()
      closed.inc({ reason })
    },
    async render() {
      reading = reading.then(readDatabase)
      await reading
      return { text: await registry.metrics(), contentType: registry.contentType }
    },
  }
}

/** What is no route has one label for all: paths are the callers' choice. */
function labelsOf(method: string, path: string, status: number) {
  const code = `${Math.floor(status / 100)}xx`
  return permissionOf(method, path) === undefined
    ? { route: 'none', method: 'other', status: code }
    : { route: path.replace(/^\/ajax-api\//, '/api/'), method, status: code }
}
