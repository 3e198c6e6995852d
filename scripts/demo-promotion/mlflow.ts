import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const PYTHON = fileURLToPath(new URL('../../.cache/mlflow/bin/python', import.meta.url))
/** A first start compiles all of MLflow. */
const START_MS = 90_000

export interface StockMlflow {
  readonly url: string
  stop(): Promise<void>
}

/** The one that is named, if it is a stock MLflow; else one that is started for the demo; else none. */
export async function findMlflow(
  env: Readonly<Record<string, string | undefined>>,
): Promise<StockMlflow | undefined> {
  const named = env.MLFLOW_TRACKING_URI?.replace(/\/+$/, '')
  if (named) return (await isStock(named)) ? { url: named, stop: async () => {} } : undefined
  return existsSync(PYTHON) ? startMlflow() : undefined
}

async function isStock(url: string): Promise<boolean> {
  const ours = await fetch(`${url}/api/promptkeep/1.0/capabilities`).catch(() => undefined)
  return ours !== undefined && !ours.ok && ours.status !== 401
}

async function startMlflow(): Promise<StockMlflow> {
  const folder = await mkdtemp(join(tmpdir(), 'promptkeep-demo-mlflow-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const child = spawn(
    PYTHON,
    [
      ...['-m', 'mlflow', 'server', '--host', '127.0.0.1', '--port', String(port), '--workers', '1'],
      ...['--backend-store-uri', `sqlite:///${join(folder, 'mlflow.db')}`],
      ...['--artifacts-destination', join(folder, 'artifacts')],
    ],
    {
      cwd: folder,
      stdio: 'ignore',
      detached: true, // a group of its own: its workers are grandchildren
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        MLFLOW_DISABLE_TELEMETRY: 'true',
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
      },
    },
  )
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const end = () => endGroup(child)
  process.once('exit', end)
  async function stop(): Promise<void> {
    process.removeListener('exit', end)
    end()
    await exited
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  const deadline = Date.now() + START_MS
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const health = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined)
    if (health?.ok) return { url, stop }
    await sleep(100)
  }
  await stop()
  throw new Error('MLflow of .cache/mlflow did not start')
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}

/** Where nobody listens, as far as anybody knows. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
