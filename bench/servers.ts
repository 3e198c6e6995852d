import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A server under measurement: a process of its own, on a free loopback port, with its data in a temp folder. */
export interface MeasuredServer {
  readonly url: string
  /** From spawn to the first 200 of `/health`, in milliseconds. */
  readonly startMs: number
  /** Resident memory of the process and all its children, in MiB. */
  memoryMiB(): Promise<number>
  stop(): Promise<void>
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => probe.once('listening', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

async function start(
  command: string,
  args: (port: number, dir: string) => string[],
  env: Record<string, string> = {},
): Promise<MeasuredServer> {
  const dir = await mkdtemp(join(tmpdir(), 'promptkeep-bench-'))
  const port = await freePort()
  const began = performance.now()
  const child = spawn(command, args(port, dir), {
    cwd: dir,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-2000)
  })
  const url = `http://127.0.0.1:${port}`
  while (!(await healthy(url))) {
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}: ${errors}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const startMs = performance.now() - began
  return {
    url,
    startMs,
    memoryMiB: () => residentMiB(child.pid ?? 0),
    async stop() {
      await endGroup(child)
      await rm(dir, { recursive: true, force: true })
    },
  }
}

const healthy = (url: string) =>
  fetch(`${url}/health`).then(
    (answer) => answer.ok,
    () => false,
  )

async function endGroup(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  process.kill(-child.pid, 'SIGTERM')
  await gone
}

/** Sums VmRSS over a process and its descendants, from /proc (Linux). */
async function residentMiB(pid: number): Promise<number> {
  const parents = new Map<number, number>()
  const resident = new Map<number, number>()
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const status = await readFile(`/proc/${entry}/status`, 'utf8').catch(() => '')
    parents.set(Number(entry), Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0))
    resident.set(Number(entry), Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0))
  }
  let sum = 0
  for (const candidate of resident.keys()) {
    let at: number | undefined = candidate
    while (at !== undefined && at !== 0 && at !== pid) at = parents.get(at)
    if (at === pid) sum += resident.get(candidate) ?? 0
  }
  return sum / 1024
}

export const startOurs = (root: string) =>
  start(
    process.execPath,
    (port, dir) => [
      join(root, 'packages/cli/bin/promptkeep.js'),
      'serve',
      '--port',
      String(port),
      '--database',
      `sqlite:${join(dir, 'registry.db')}`,
    ],
    { LOG_LEVEL: 'warn' },
  )

/** `undefined` when no MLflow is installed. One worker, job runner off: its leanest form. */
export function startMlflow(root: string): Promise<MeasuredServer> | undefined {
  const bin = join(root, '.cache/mlflow/bin/mlflow')
  if (!existsSync(bin)) return undefined
  return start(
    bin,
    (port, dir) => [
      'server',
      ...['--host', '127.0.0.1', '--port', String(port), '--workers', '1'],
      ...['--backend-store-uri', `sqlite:///${join(dir, 'mlflow.db')}`],
      ...['--artifacts-destination', join(dir, 'artifacts')],
    ],
    { MLFLOW_DISABLE_TELEMETRY: 'true', MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false' },
  )
}
