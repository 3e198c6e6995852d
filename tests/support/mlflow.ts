import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { mlflowEnv, mlflowPython } from './python.ts'

export { mlflowSkip, oldestMlflowPython, oldestMlflowSkip } from './python.ts'

export interface Mlflow {
  /** `http://127.0.0.1:<port>`, without a final slash. */
  readonly url: string
  /** What the server printed so far, for a failing test's message. */
  output(): string
  /** Ends its process group and removes its folder. Twice is fine. */
  stop(): Promise<void>
}

/**
 * Starts a real, untouched `mlflow server` with an empty SQLite database in a temporary folder, and waits until
 * it is healthy (about 9 s).
 *
 * @param options.port - Loopback port. Default: a free one.
 * @param options.folder - Keeps its database there and leaves it there, so that it can be started again. Default: a
 *   temporary folder that `stop` removes.
 * @param options.python - That of the MLflow to start. Default: the newest.
 */
export async function startMlflow(
  options: { port?: number; folder?: string; python?: string } = {},
): Promise<Mlflow> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'promptkeep-mlflow-')))
  const port = options.port ?? (await freePort())
  const url = `http://127.0.0.1:${port}`
  const child = spawn(options.python ?? mlflowPython, serverArguments(folder, port), {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...mlflowEnv },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own: uvicorn's worker is a grandchild
  })
  const output = collect(child)
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const killGroup = () => endGroup(child)
  process.once('exit', killGroup)

  async function stop() {
    process.removeListener('exit', killGroup)
    killGroup()
    await exited
    if (options.folder === undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }

  try {
    await untilHealthy(url, child, output)
  } catch (error) {
    await stop()
    throw error
  }
  return { url, output, stop }
}

const serverArguments = (folder: string, port: number) => [
  ...['-m', 'mlflow', 'server', '--host', '127.0.0.1', '--port', String(port), '--workers', '1'],
  ...['--backend-store-uri', `sqlite:///${join(folder, 'mlflow.db')}`],
  ...['--artifacts-destination', join(folder, 'artifacts')],
]

function collect(child: ChildProcess): () => string {
  const parts: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => parts.push(text))
  }
  return () => parts.join('')
}

function endGroup(child: ChildProcess) {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // the group is gone already
  }
}

async function untilHealthy(url: string, child: ChildProcess, output: () => string) {
  const deadline = Date.now() + 90_000 // a first start compiles all of mlflow's bytecode
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) break
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined)
    if (answer?.ok) return
    await sleep(100)
  }
  throw new Error(`mlflow server did not become healthy at ${url}:\n${output()}`)
}
