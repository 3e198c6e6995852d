import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { addVersion, fill, versionBody } from './fill.ts'
import { publish, readOptions } from './report.ts'
import type { Load, LoadFigures } from './server/requests.ts'
import { type MeasuredServer, startMlflow, startOurs } from './servers.ts'

/*
 * What our server and MLflow's answer under the same load: `npm run bench -- server [--small]`.
 */

const options = readOptions()
const root = join(import.meta.dirname, '..')
const size = options.small ? { prompts: 5, seconds: 1 } : { prompts: 100, seconds: 8 }

const LOADS = ['lookups', 'moves', 'creates'] as const
const CONNECTIONS = [1, 16] as const

type Loads = Record<(typeof LOADS)[number], Record<(typeof CONNECTIONS)[number], LoadFigures>>

interface ServerFigures extends Loads {
  readonly startMs: number
  readonly idleMiB: number
  readonly loadedMiB: number
}

const names = Array.from({ length: size.prompts }, (_, i) => `bench-${i}`)
const ALIAS = '/api/2.0/mlflow/registered-models/alias'
const REQUESTS: Record<keyof Loads, Load['requests']> = {
  lookups: names.map((name) => ({ method: 'GET', path: `${ALIAS}?name=${name}&alias=production` })),
  // To and fro: a move to where it is could be no write.
  moves: ['2', '1'].map((version) => ({
    method: 'POST',
    path: ALIAS,
    body: { name: 'bench-moved', alias: 'production', version },
  })),
  creates: [{ method: 'POST', path: '/api/2.0/mlflow/model-versions/create', body: versionBody('bench-1') }],
}

/** Load by load, each against one server after the other: what else the machine does then meets them alike. */
async function measureServers(servers: readonly MeasuredServer[]): Promise<ServerFigures[]> {
  const idle: number[] = []
  for (const server of servers) {
    idle.push(await server.memoryMiB())
    await fill(server.url, [...names, 'bench-moved'])
    await addVersion(server.url, 'bench-moved')
  }
  const loads = servers.map((): Partial<Record<keyof Loads, Partial<Loads['lookups']>>> => ({}))
  for (const what of LOADS)
    for (const connections of CONNECTIONS)
      for (const [i, { url }] of servers.entries()) {
        const load: Load = { url, connections, seconds: size.seconds, requests: REQUESTS[what] }
        Object.assign(loads[i] as object, { [what]: { ...loads[i]?.[what], [connections]: await run(load) } })
      }
  return Promise.all(
    servers.map(async (server, i) => ({
      ...(loads[i] as Loads),
      startMs: server.startMs,
      idleMiB: idle[i] as number,
      loadedMiB: await server.memoryMiB(),
    })),
  )
}

/** In a process of its own. */
async function run(load: Load): Promise<LoadFigures> {
  const args = ['--import', 'tsx', join(root, 'bench/server/requests.ts'), JSON.stringify(load)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as LoadFigures
}

function table(a: ServerFigures, b: ServerFigures | undefined): string {
  /** `more` when a high figure is good. */
  const row = (what: string, digits: number, our: number, their: number | undefined, more = false) => {
    const ratio = their === undefined ? '–' : `${(more ? our / their : their / our).toPrecision(3)}×`
    return `| ${what} | ${our.toFixed(digits)} | ${their?.toFixed(digits) ?? 'not installed'} | ${ratio} |`
  }
  return [
    '| server | ours | mlflow server | ours is better by |',
    '|---|--:|--:|--:|',
    ...LOADS.flatMap((what) =>
      CONNECTIONS.flatMap((connections) => {
        const [our, their] = [a[what][connections], b?.[what][connections]]
        const name = { lookups: 'alias look-ups', moves: 'alias moves', creates: 'registered versions' }[what]
        const many = connections === 1 ? '1 connection' : `${connections} connections`
        return [
          row(`${name}/s, ${many}`, 0, our.perSecond, their?.perSecond, true),
          row('… p50 in ms', 2, our.p50Ms, their?.p50Ms),
          row('… p99 in ms', 2, our.p99Ms, their?.p99Ms),
        ]
      }),
    ),
    row('start-up to first /health in ms', 0, a.startMs, b?.startMs),
    row('memory idle in MiB', 0, a.idleMiB, b?.idleMiB),
    row('memory after the load in MiB', 0, a.loadedMiB, b?.loadedMiB),
  ].join('\n')
}

const ours = await startOurs(root)
const mlflow = await startMlflow(root)
try {
  const [first, second] = await measureServers(mlflow ? [ours, mlflow] : [ours])
  await publish(options, {
    title: 'Our server and MLflow’s under the same load',
    text: table(first as ServerFigures, second),
    figures: { ours: first, mlflow: second },
  })
} finally {
  await Promise.all([ours.stop(), mlflow?.stop()])
}
