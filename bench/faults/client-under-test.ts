import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { python, startWorker } from '../worker.ts'
import { type FaultServer, startFaultServer } from './fault-server.ts'
import type { Job, Loaded, Order } from './job.ts'
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

export interface Setting {
  readonly ttlSeconds: number
  /** Longest that the bench waits for an answer. */
  readonly capMs: number
}

const root = join(import.meta.dirname, '../..')

export const isInstalled = (client: ClientName): boolean => client !== 'mlflow' || python !== undefined

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
  return (await promisify(execFile)(python ?? '', ['-c', script])).stdout.trim()
}

/** Names of the prompts that the app has bundled; `warm` is the one that it loaded before. */
const BUNDLED = ['warm', 'memory', ...Array.from({ length: 5 }, (_, i) => `other-${i}`)]

export async function startClient(client: ClientName, setting: Setting): Promise<ClientUnderTest> {
  const server = await startFaultServer(protocols[client])
  const job: Job = {
    url: server.url,
    ttlSeconds: setting.ttlSeconds,
    bundled: Object.fromEntries(BUNDLED.map((name) => [name, bundledText(name)])),
  }
  const worker =
    client === 'mlflow'
      ? await startWorker<Order>('faults/clients/mlflow_client.py', [JSON.stringify(job)])
      : await startWorker<Order>('faults/client-process.ts', [client, JSON.stringify(job)])

  async function load(...names: string[]): Promise<Seen[]> {
    const { version } = server
    return (await worker.ask<Loaded[]>({ op: 'load', names }, setting.capMs)).map(
      ({ name, ms, text, error }) => ({
        ms,
        served: judge(name, text, version),
        ...(error !== undefined && { error }),
      }),
    )
  }

  async function stop(): Promise<void> {
    await worker.stop()
    await server.stop()
  }

  try {
    const [warm] = await load('warm') // connection, lazy modules; Python's reads half of MLflow
    if (warm?.served !== 'new') throw new Error(`${client} cannot load at all: ${JSON.stringify(warm)}`)
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
      await worker.ask({ op: 'clock', shiftMs })
    },
    memory: () => worker.ask<number>({ op: 'memory' }),
  }
}
