import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { cpus, release } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import type { Load, LoadFigures } from './clients/load.ts'
import type { ClientFigures, Job } from './clients/measure.ts'
import { type MeasuredServer, startLangfuseDouble, startMlflow, startOurs } from './servers.ts'

const execute = promisify(execFile)
const { values } = parseArgs({ options: { small: { type: 'boolean' }, json: { type: 'string' } } })
const root = join(import.meta.dirname, '..')
const size = values.small
  ? { prompts: 5, rounds: 3, calls: 2_000, seconds: 1 }
  : { prompts: 100, rounds: 15, calls: 100_000, seconds: 8 }
/** As long as a middling system prompt. */
const text = 'You are a careful assistant. Answer {{ question }} in plain words. '.repeat(30)

const post = async (url: string, path: string, body: object) => {
  const answer = await fetch(`${url}/api/2.0/mlflow/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
}
const isPrompt = { key: 'mlflow.prompt.is_prompt', value: 'true' }
const versionBody = (name: string) => ({
  name,
  source: 'dummy-source',
  tags: [isPrompt, { key: '_mlflow_prompt_type', value: 'text' }, { key: 'mlflow.prompt.text', value: text }],
})

/** The same prompts on either server, over MLflow's own protocol. */
async function fill(url: string): Promise<void> {
  const names = [
    ...Array.from({ length: size.prompts }, (_, i) => `bench-${i}`),
    'bench-warm',
    'bench-herd',
    'bench-moved',
  ]
  for (const name of names) {
    await post(url, 'registered-models/create', { name, tags: [isPrompt] })
    await post(url, 'model-versions/create', versionBody(name))
    await post(url, 'registered-models/alias', { name, alias: 'production', version: '1' })
  }
  await post(url, 'model-versions/create', versionBody('bench-moved'))
}

const LOADS = ['lookups', 'moves', 'creates'] as const
const CONNECTIONS = [1, 16] as const

type Loads = Record<(typeof LOADS)[number], Record<(typeof CONNECTIONS)[number], LoadFigures>>

interface ServerFigures extends Loads {
  readonly startMs: number
  readonly idleMiB: number
  readonly loadedMiB: number
}

const ALIAS = '/api/2.0/mlflow/registered-models/alias'
const REQUESTS: Record<keyof Loads, Load['requests']> = {
  lookups: Array.from({ length: size.prompts }, (_, i) => ({
    method: 'GET',
    path: `${ALIAS}?name=bench-${i}&alias=production`,
  })),
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
    await fill(server.url)
  }
  const loads = servers.map((): Partial<Record<keyof Loads, Partial<Loads['lookups']>>> => ({}))
  for (const what of LOADS)
    for (const connections of CONNECTIONS)
      for (const [i, { url }] of servers.entries()) {
        const load: Load = { url, connections, seconds: size.seconds, requests: REQUESTS[what] }
        const figures = await child<LoadFigures>(process.execPath, typescript('load.ts'), load)
        Object.assign(loads[i] as object, { [what]: { ...loads[i]?.[what], [connections]: figures } })
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

const jobFor = (url: string): Job => ({ url, prompts: size.prompts, rounds: size.rounds, calls: size.calls })

async function child<T>(command: string, args: string[], job: Job | Load): Promise<T> {
  const { stdout } = await execute(command, [...args, JSON.stringify(job)], {
    cwd: root,
    env: { ...process.env, MLFLOW_DISABLE_TELEMETRY: 'true' },
  })
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T
}
const typescript = (file: string) => ['--import', 'tsx', join(root, 'bench/clients', file)]

const ours = await startOurs(root)
const mlflow = await startMlflow(root)
const langfuse = await startLangfuseDouble(text)
try {
  const [first, second] = await measureServers(mlflow ? [ours, mlflow] : [ours])
  const server = { ours: first as ServerFigures, mlflow: second }
  const client = {
    ours: await child<ClientFigures & { setGetNs: number; awaitedMapGetNs: number }>(
      process.execPath,
      typescript('ours.ts'),
      jobFor(ours.url),
    ),
    langfuse: await child<ClientFigures>(process.execPath, typescript('langfuse.ts'), jobFor(langfuse.url)),
    mlflow:
      mlflow &&
      (await child<ClientFigures>(
        join(root, '.cache/mlflow/bin/python'),
        [join(root, 'bench/clients/mlflow_client.py')],
        jobFor(mlflow.url),
      )),
  }
  const machine = `${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}, Node ${process.versions.node}`
  console.log(`${new Date().toISOString().slice(0, 10)} · ${machine}${values.small ? ' · small run' : ''}\n`)
  console.log(table(server, client))
  if (values.json) await writeFile(values.json, JSON.stringify({ machine, server, client }, null, 2))
} finally {
  await Promise.all([ours.stop(), mlflow?.stop(), langfuse.stop()])
}

function table(
  server: { ours: ServerFigures; mlflow: ServerFigures | undefined },
  client: {
    ours: ClientFigures & { setGetNs: number; awaitedMapGetNs: number }
    langfuse: ClientFigures
    mlflow: ClientFigures | undefined
  },
): string {
  const show = (value: number | undefined, digits = 0) =>
    value === undefined ? 'not installed' : value.toFixed(digits)
  /** How many times better ours is: `more` when a high figure is good. */
  const ratio = (our: number, their: number | undefined, more = false) =>
    their === undefined ? '–' : `${(more ? our / their : their / our).toPrecision(3)}×`
  const row = (what: string, digits: number, our: number, theirs: (number | undefined)[], more = false) =>
    `| ${what} | ${show(our, digits)} | ${theirs.map((value) => `${value === undefined ? '–' : show(value, digits)} | ${ratio(our, value, more)}`).join(' | ')} |`
  const { ours: a, mlflow: b } = server
  const { ours: c, langfuse: l, mlflow: m } = client
  return [
    '| server | ours | mlflow server | ours is better by |',
    '|---|--:|--:|--:|',
    ...LOADS.flatMap((what) =>
      CONNECTIONS.flatMap((connections) => {
        const [our, their] = [a[what][connections], b?.[what][connections]]
        const name = { lookups: 'alias look-ups', moves: 'alias moves', creates: 'registered versions' }[what]
        const many = connections === 1 ? '1 connection' : `${connections} connections`
        return [
          row(`${name}/s, ${many}`, 0, our.perSecond, [their?.perSecond], true),
          row('… p50 in ms', 2, our.p50Ms, [their?.p50Ms]),
          row('… p99 in ms', 2, our.p99Ms, [their?.p99Ms]),
        ]
      }),
    ),
    row('start-up to first /health in ms', 0, a.startMs, [b?.startMs]),
    row('memory idle in MiB', 0, a.idleMiB, [b?.idleMiB]),
    row('memory after the load in MiB', 0, a.loadedMiB, [b?.loadedMiB]),
    '',
    '| client | ours | @langfuse/client | ours is better by | MLflow (Python) | ours is better by |',
    '|---|--:|--:|--:|--:|--:|',
    row('cached load in ns', 0, c.cachedLoadNs, [l.cachedLoadNs, m?.cachedLoadNs]),
    row('cold load in ms', 2, c.coldLoadMs, [l.coldLoadMs, m?.coldLoadMs]),
    row('requests of a cold load', 1, c.coldLoadRequests, [l.coldLoadRequests, m?.coldLoadRequests]),
    row('requests of 20 concurrent cold loads', 0, c.herdRequests, [l.herdRequests, m?.herdRequests]),
    row('set.get in ns (others: cached load)', 1, c.setGetNs, [l.cachedLoadNs, m?.cachedLoadNs]),
    '',
    `An awaited Map.get in the same process: ${show(c.awaitedMapGetNs)} ns; a cached load is ${(c.cachedLoadNs / c.awaitedMapGetNs).toPrecision(3)}× that.`,
    "Each client runs in a process of its own. Ours asks our server and MLflow's asks its own; Langfuse's asks a stand-in that does no work.",
  ].join('\n')
}
