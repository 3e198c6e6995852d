import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type FaultServer, startFaultServer } from './fault-server.ts'
import { type Job, type Loaded, MARK, type Order } from './job.ts'
import { type ClientName, protocols } from './protocols.ts'
import { bundledText, judge, type Served } from './texts.ts'

/** A load, and what it gave. */
export interface Seen {
  readonly ms: number
  readonly served: Served
  /** Of what was thrown. */
  readonly error?: string
}

/** One client in a process of its own, and the service that it asks. */
export interface ClientUnderTest {
  readonly server: FaultServer
  readonly ttlMs: number
  /** At the same moment. @throws {TooLong} */
  load(...names: string[]): Promise<Seen[]>
  /** Shifts the clock on its wall. */
  shiftClock(shiftMs: number): Promise<void>
  /** Bytes in use after a garbage collection. */
  memory(): Promise<number>
  stop(): Promise<void>
}

/** The bench waits no longer for this client. */
export class TooLong extends Error {}

export interface Setting {
  readonly ttlSeconds: number
  /** Longest that the bench waits for an answer. */
  readonly capMs: number
}

const root = join(import.meta.dirname, '../..')
const python = process.env.MLFLOW_PYTHON ?? join(root, '.cache/mlflow/bin/python')

export const isInstalled = (client: ClientName): boolean => client !== 'mlflow' || existsSync(python)

const PACKAGES = {
  langfuse: '@langfuse/client',
  langsmith: 'langsmith',
  phoenix: '@arizeai/phoenix-client',
} as const

/** A line that names what was measured. */
export async function versions(clients: readonly ClientName[]): Promise<string> {
  const named = clients.map(async (client) => {
    if (client === 'promptkeep') return []
    if (client === 'mlflow') return [`MLflow ${await versionOfMlflow()}`]
    const file = join(root, 'node_modules', PACKAGES[client], 'package.json')
    const { version } = JSON.parse(await readFile(file, 'utf8')) as { version: string }
    return [`${PACKAGES[client]} ${version}`]
  })
  return `Beside ours: ${(await Promise.all(named)).flat().join(', ')}.`
}

async function versionOfMlflow(): Promise<string> {
  const script = "import importlib.metadata as m; print(m.version('mlflow'))"
  return (await promisify(execFile)(python, ['-c', script])).stdout.trim()
}

/** Names of the prompts that the app has bundled, and of the one that it loaded before. */
const BUNDLED = ['warm', 'memory']

export async function startClient(client: ClientName, setting: Setting): Promise<ClientUnderTest> {
  const server = await startFaultServer(protocols[client])
  const child = start(client, {
    url: server.url,
    ttlSeconds: setting.ttlSeconds,
    bundled: Object.fromEntries(BUNDLED.map((name) => [name, bundledText(name)])),
  })
  const answers = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const waiting: ((answer: unknown) => void)[] = []
  answers.on('line', (line) => {
    if (line.startsWith(MARK)) waiting.shift()?.(JSON.parse(line.slice(MARK.length)))
  })
  const next = (capMs: number) =>
    new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => reject(new TooLong()), capMs)
      const died = () => reject(new Error(`the process of ${client} ended`))
      child.once('exit', died)
      waiting.push((answer) => {
        clearTimeout(timer)
        child.off('exit', died)
        resolve(answer)
      })
    })
  const ask = (order: Order) => {
    const answer = next(setting.capMs)
    child.stdin?.write(`${JSON.stringify(order)}\n`)
    return answer
  }

  async function load(...names: string[]): Promise<Seen[]> {
    const { version } = server
    return ((await ask({ op: 'load', names })) as Loaded[]).map(({ name, ms, text, error }) => ({
      ms,
      served: judge(name, text, version),
      ...(error !== undefined && { error }),
    }))
  }

  async function stop(): Promise<void> {
    const gone = new Promise((resolve) => child.once('exit', resolve))
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await gone
    answers.close()
    await server.stop()
  }

  try {
    await next(120_000)
    await load('warm') // connection, lazy modules; Python's reads half of MLflow
    await pause(client === 'mlflow' ? 500 : 50) // what it does behind a load
  } catch (error) {
    await stop()
    throw error
  }
  return {
    server,
    ttlMs: setting.ttlSeconds * 1000,
    load,
    stop,
    async shiftClock(shiftMs) {
      await ask({ op: 'clock', shiftMs })
    },
    memory: async () => (await ask({ op: 'memory' })) as number,
  }
}

function start(client: ClientName, job: Job): ChildProcess {
  const typescript = ['--expose-gc', '--import', 'tsx', join(root, 'bench/faults/client-process.ts'), client]
  const [command, args] =
    client === 'mlflow'
      ? [python, [join(root, 'bench/faults/clients/mlflow_client.py')]]
      : [process.execPath, typescript]
  return spawn(command, [...args, JSON.stringify(job)], {
    cwd: root,
    env: { ...process.env, MLFLOW_DISABLE_TELEMETRY: 'true', LANGSMITH_TRACING: 'false' },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
}
