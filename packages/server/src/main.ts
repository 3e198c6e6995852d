import { randomUUID } from 'node:crypto'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { promisify } from 'node:util'
import { serve } from '@hono/node-server'
import type { Logger } from '@promptkeep/client/protocol'
import { sqliteFile } from '@promptkeep/sql'
import { createApp } from './app.ts'
import { accessOf, needsTokens } from './auth/access.ts'
import { type Config, withoutPassword } from './config.ts'
import type { Live } from './live/live.ts'
import { createLocalLive } from './live/local.ts'
import { LinkedTwice, type LockFile, LockHeld, takeLock } from './lock-file.ts'
import { createMetrics } from './metrics.ts'
import { openStore } from './store/open-store.ts'
import { VERSION } from './version.ts'

export interface RunningServer {
  /** Where it listens, with the port that it got. */
  readonly url: string
  /** Takes nothing new, finishes what runs (for `SHUTDOWN_GRACE_MS`), closes the database. A second call waits for the first. */
  stop(): Promise<void>
}

/** The server cannot start: `message` says why and what to change. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

/**
 * Locks the database, opens it, then listens. Signals are the caller's business, and it never ends the process.
 * @throws {SqlError} The database cannot be opened.
 * @throws {StartError} Another server has the SQLite file, the address cannot be listened on, or it is open to other
 * machines and there is no token yet.
 */
export async function start(config: Config, log: Logger): Promise<RunningServer> {
  const lock = await lockDatabase(config, log)
  // What was begun, for a start that ends half-way: the last one first.
  const begun = [async () => lock?.release()]
  try {
    return await startLocked(config, log, lock, begun)
  } catch (error) {
    for (const end of begun.reverse()) await end()
    throw error
  }
}

async function startLocked(
  config: Config,
  log: Logger,
  lock: LockFile | undefined,
  begun: (() => Promise<void>)[],
): Promise<RunningServer> {
  let live: Live | undefined
  const store = await openStore(config.DATABASE_URL, {
    onChange: () => live?.publish(),
    allowModelConfigEdit: config.ALLOW_MODEL_CONFIG_EDIT,
    onConnectionError: ({ message }) => log.warn({ err: { message } }, 'database.disconnected'),
  })
  begun.push(() => store.close())
  const access = accessOf(config)
  if (needsTokens(access) && !(await store.tokens.any())) throw noTokens(config)
  const heartbeatMs = config.HEARTBEAT_MS
  live = createLocalLive({ changes: store.changes, heartbeatMs, log })
  const { close: endStreams } = live
  begun.push(async () => endStreams())
  const app = createApp({
    store,
    log,
    newId: randomUUID,
    elapsedMs: () => performance.now(),
    random: Math.random,
    access,
    requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
    metrics: createMetrics({ store, log, elapsedMs: () => performance.now(), ofProcess: true }),
    live,
    heartbeatMs,
    maxStreams: config.MAX_STREAMS,
  })
  const server = await listen(app.fetch, config)
  const silent = silentSockets(server)
  const url = urlOf(server)
  await lock?.announce(url)
  log.info({ url, version: VERSION }, 'server.started')

  let stopping: Promise<void> | undefined
  async function stop(): Promise<void> {
    log.info({ url }, 'server.stopping')
    endStreams() // 1. streams would go on for ever
    const closed = promisify(server.close.bind(server))() // 2. take nothing new, finish what runs
    const sweep = setInterval(() => {
      server.closeIdleConnections() // else keep-alive holds it for seconds
      for (const socket of silent()) socket.destroy()
    }, 50)
    const cut = setTimeout(() => server.closeAllConnections(), config.SHUTDOWN_GRACE_MS) // never hang a deploy
    await closed.finally(() => {
      clearInterval(sweep)
      clearTimeout(cut)
    })
    await store.close() // 3. nobody can need the database now
    await lock?.release() // 4. the next server may have it
    log.info({ url }, 'server.stopped')
  }
  return {
    url,
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

/**
 * Connections on which nothing was ever sent: clients open some ahead. Node does not count them as idle.
 * @returns those that there are now
 */
function silentSockets(server: Server): () => Socket[] {
  const open = new Set<Socket>()
  server.on('connection', (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return () => [...open].filter(({ bytesRead }) => bytesRead === 0)
}

/** One server a SQLite file. @throws {StartError} naming the one that has it @throws {SqlError} */
async function lockDatabase({ DATABASE_URL }: Config, log: Logger): Promise<LockFile | undefined> {
  const file = await sqliteFile(DATABASE_URL)
  if (file === undefined) return undefined
  try {
    return await takeLock(file, {
      what: 'A server',
      now: Date.now,
      onLost: () => log.error({ lock: `${file}.lock` }, 'database.lock_lost'),
    })
  } catch (cause) {
    if (cause instanceof LockHeld || cause instanceof LinkedTwice)
      throw new StartError(`${cause.message}.`, { cause })
    const { message } = cause as Error
    throw new StartError(`The database's lock ${file}.lock cannot be made: ${message}`, { cause })
  }
}

const noTokens = ({ HOST, DATABASE_URL }: Config) =>
  new StartError(
    `Other machines could reach this server (HOST ${HOST}, ALLOWED_HOSTS or TRUST_PROXY), and it has no tokens yet, ` +
      'so everybody could do everything. Make the first one with: ' +
      `promptkeep token create NAME --role admin --database ${withoutPassword(DATABASE_URL)}`,
  )

/** Who sends a request slowly, or none, does not hold a connection for long. */
const SERVER_OPTIONS = {
  headersTimeout: 20_000,
  /** With its body. */
  requestTimeout: 60_000,
  /** Longer than proxies keep an idle connection (60 s at most of them): else they send into one that is just closed. */
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 5000,
} as const

/** @throws {StartError} */
function listen(fetch: Parameters<typeof serve>[0]['fetch'], { HOST, PORT }: Config): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, hostname: HOST, port: PORT, serverOptions: SERVER_OPTIONS }, () =>
      resolve(server),
    ) as Server
    server.once('error', (error: NodeJS.ErrnoException) => {
      const cause = { cause: error }
      const reason: Record<string, string> = {
        EADDRINUSE: 'something else listens there; stop it, or choose another port with PORT',
        EACCES: 'this user may not use the port; choose one above 1023 with PORT',
      }
      reject(
        new StartError(
          `Cannot listen on ${HOST}:${PORT}: ${reason[error.code ?? ''] ?? error.message}`,
          cause,
        ),
      )
    })
  })
}

function urlOf(server: Server): string {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new StartError('The server has no port.')
  const { family, address: host, port } = address
  return `http://${family === 'IPv6' ? `[${host}]` : host}:${port}`
}
