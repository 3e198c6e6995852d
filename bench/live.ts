import { type ChildProcess, spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { cpus, release } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Seen } from './live/follower.ts'
import type { Said } from './live/sse-reader.ts'
import { type MeasuredServer, startOurs } from './servers.ts'

/*
 * How long a move takes to reach all who listen, and what a listener costs. `npm run bench -- live [--small]`.
 */

const { values } = parseArgs({ options: { small: { type: 'boolean' }, json: { type: 'string' } } })
const root = join(import.meta.dirname, '..')
const size = values.small
  ? { readers: 20, processes: 2, moves: 4, many: 100, warmUp: 2, loads: 10 }
  : { readers: 1_000, processes: 4, moves: 50, many: 10_000, warmUp: 5, loads: 300 }
/** As long as a middling system prompt. */
const text = (version: number) =>
  `You are careful assistant number ${version}. ${'Answer {{ question }} in plain words. '.repeat(50)}`
const now = () => performance.timeOrigin + performance.now()
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function post(url: string, path: string, body: object): Promise<unknown> {
  const answer = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

/** Readers of the stream, in processes of their own. */
interface Readers {
  readonly count: number
  /** When each of them had parsed a change, and how long its text was. Waits for all. */
  times(seq: number): Promise<{ times: number[]; characters: number }>
  stop(): Promise<void>
}

async function startReaders(url: string, count: number, processes: number): Promise<Readers> {
  const each = Math.ceil(count / processes)
  const children = Array.from({ length: processes }, (_, index) => {
    const some = Math.min(each, count - index * each)
    return spawn(
      process.execPath,
      ['--import', 'tsx', join(root, 'bench/live/sse-reader.ts'), url, String(some)],
      { cwd: root, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    )
  })
  const said = new Map<ChildProcess, Said[]>()
  let look = () => {}
  for (const child of children) {
    said.set(child, [])
    child.on('message', (message: Said) => {
      said.get(child)?.push(message)
      look()
    })
  }
  const all = (wanted: (one: Said) => boolean) =>
    new Promise<Said[]>((resolve) => {
      look = () => {
        const found = children.flatMap((child) => said.get(child)?.find(wanted) ?? [])
        if (found.length === children.length) resolve(found)
      }
      look()
    })
  await all(({ kind }) => kind === 'ready')
  return {
    count,
    async times(seq) {
      await all((one) => one.kind === 'heard' && one.seq === seq)
      for (const child of children) child.send(seq)
      const answers = await all((one) => one.kind === 'times' && one.seq === seq)
      const times = answers.flatMap((one) => (one.kind === 'times' ? one.times : []))
      const [first] = answers
      return { times, characters: first?.kind === 'times' ? first.characters : 0 }
    },
    async stop() {
      await Promise.all(
        children.map((child) => {
          const gone = new Promise((resolve) => child.once('exit', resolve))
          child.disconnect()
          return gone
        }),
      )
    },
  }
}

interface Latency {
  readonly readers: number
  readonly moves: number
  /** From the request of a move, and from its answer (which comes after the commit), to the text parsed, in ms. */
  readonly sent: Quantiles
  readonly acknowledged: Quantiles
  /** Until the last of the readers had it: the worst of all moves, from its answer. */
  readonly lastMs: number
  /** Changes that a reader heard twice, or texts that were not there. */
  readonly wrong: number
}
interface Quantiles {
  readonly p50: number
  readonly p99: number
}

async function measureMoves(server: MeasuredServer, readers: Readers, moves: number): Promise<Latency> {
  const sent: number[] = []
  const acknowledged: number[] = []
  let wrong = 0
  for (let index = 0; index < size.warmUp + moves; index++) {
    const version = (index % 2) + 1
    const sentAt = now()
    const { change } = (await post(server.url, '/api/promptkeep/1.0/alias', {
      name: 'bench',
      alias: 'production',
      version,
    })) as { change: { seq: number } }
    const answeredAt = now()
    const { times, characters } = await readers.times(change.seq)
    if (times.length !== readers.count || characters !== text(version).length) wrong++
    if (index >= size.warmUp) {
      sent.push(...times.map((time) => time - sentAt))
      acknowledged.push(...times.map((time) => time - answeredAt))
    }
    await pause(20)
  }
  return {
    readers: readers.count,
    moves,
    sent: quantiles(sent),
    acknowledged: quantiles(acknowledged),
    lastMs: Math.max(...acknowledged),
    wrong,
  }
}

interface FollowedLoads extends Omit<Latency, 'readers' | 'lastMs'> {
  /** Of the loads that were the first to give the new text: none asked for it. */
  readonly fromCache: number
}

/** From a move to the first load of a following client, in a process of its own, that gives the new text. */
async function measureLoads(url: string, moves: number): Promise<FollowedLoads> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'bench/live/follower.ts'), url], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  let hear = (_said: Seen | 'ready') => {}
  child.on('message', (said: Seen | 'ready') => hear(said))
  const next = () =>
    new Promise<Seen | 'ready'>((resolve) => {
      hear = resolve
    })
  await next()
  const sent: number[] = []
  const acknowledged: number[] = []
  let fromCache = 0
  let wrong = 0
  for (let index = 0; index < size.warmUp + moves; index++) {
    const version = (index % 2) + 1
    const seen = next()
    const sentAt = now()
    const body = { name: 'bench', alias: 'production', version }
    await post(url, '/api/promptkeep/1.0/alias', body)
    const answeredAt = now()
    const said = (await seen) as Seen
    if (said.version !== version) wrong++
    if (index < size.warmUp) continue
    sent.push(said.at - sentAt)
    acknowledged.push(said.at - answeredAt)
    if (said.source === 'cache') fromCache++
    await pause(10)
  }
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.disconnect()
  await gone
  return { moves, sent: quantiles(sent), acknowledged: quantiles(acknowledged), fromCache, wrong }
}

function quantiles(numbers: readonly number[]): Quantiles {
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return { p50: at(0.5), p99: at(0.99) }
}

/** Opens a stream and never reads it. */
function neverRead(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.pause()
      socket.write(
        `GET /api/promptkeep/1.0/changes HTTP/1.1\r\nHost: ${hostname}\r\nAccept: text/event-stream\r\n\r\n`,
      )
      resolve(socket)
    })
    socket.once('error', reject)
  })
}

async function withServer<T>(use: (server: MeasuredServer) => Promise<T>): Promise<T> {
  const server = await startOurs(root)
  try {
    const [isPrompt, type] = [
      { key: 'mlflow.prompt.is_prompt', value: 'true' },
      { key: '_mlflow_prompt_type', value: 'text' },
    ]
    await post(server.url, '/api/2.0/mlflow/registered-models/create', { name: 'bench', tags: [isPrompt] })
    for (const version of [1, 2]) {
      const tags = [isPrompt, type, { key: 'mlflow.prompt.text', value: text(version) }]
      await post(server.url, '/api/2.0/mlflow/model-versions/create', {
        name: 'bench',
        source: 'dummy-source',
        tags,
      })
    }
    return await use(server)
  } finally {
    await server.stop()
  }
}

const thousand = await withServer(async (server) => {
  const readers = await startReaders(server.url, size.readers, size.processes)
  const beforeMiB = await server.memoryMiB()
  const alone = await measureMoves(server, readers, size.moves)
  const deaf = await neverRead(server.url)
  const beside = await measureMoves(server, readers, size.moves)
  deaf.destroy()
  const afterMiB = await server.memoryMiB()
  await readers.stop()
  return { alone, beside, beforeMiB, afterMiB }
})

const many = await withServer(async (server) => {
  // The first readers load code that is no reader's.
  const warm = await startReaders(server.url, 10, 1)
  await measureMoves(server, warm, 1)
  const idleMiB = await server.memoryMiB()
  const readers = await startReaders(server.url, size.many, size.processes)
  await pause(values.small ? 0 : 3_000)
  const openMiB = await server.memoryMiB()
  const latency = await measureMoves(server, readers, 3)
  await readers.stop()
  await warm.stop()
  return { idleMiB, openMiB, latency }
})

const loads = await withServer(async (server) => {
  const body = { name: 'bench', alias: 'production', version: 2 }
  await post(server.url, '/api/promptkeep/1.0/alias', body)
  return measureLoads(server.url, size.loads)
})

const perStreamKiB = ((many.openMiB - many.idleMiB) * 1024) / size.many
const ms = (value: number) => value.toFixed(1)
const row = (what: string, { sent, acknowledged, lastMs }: Latency) =>
  `| ${what} | ${ms(acknowledged.p50)} | ${ms(acknowledged.p99)} | ${ms(sent.p50)} | ${ms(sent.p99)} | ${ms(lastMs)} |`
const machine = `${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}, Node ${process.versions.node}`
console.log(`${new Date().toISOString().slice(0, 10)} · ${machine}${values.small ? ' · small run' : ''}

| from a move to its text parsed, in ms | p50 from its answer | p99 | p50 from its request | p99 | last reader, worst move |
|---|--:|--:|--:|--:|--:|
${row(`${size.readers} readers, ${thousand.alone.moves} moves`, thousand.alone)}
${row('the same, and one that never reads', thousand.beside)}
${row(`${size.many} readers, 3 moves`, many.latency)}

| from a move to the first \`load\` of a following client that gives its text, in ms | p50 from its answer | p99 | p50 from its request | p99 |
|---|--:|--:|--:|--:|
| ${loads.moves} moves, ${loads.fromCache} of the loads without a request | ${ms(loads.acknowledged.p50)} | ${ms(loads.acknowledged.p99)} | ${ms(loads.sent.p50)} | ${ms(loads.sent.p99)} |

| memory of the server in MiB | |
|---|--:|
| ${size.readers} streams, before and after ${2 * (size.moves + size.warmUp)} moves | ${thousand.beforeMiB.toFixed(0)} and ${thousand.afterMiB.toFixed(0)} |
| 10 streams | ${many.idleMiB.toFixed(0)} |
| ${size.many} streams more | ${many.openMiB.toFixed(0)}, so ${perStreamKiB.toFixed(1)} KiB a stream |
`)
if (values.json)
  await writeFile(values.json, JSON.stringify({ machine, thousand, many, loads, perStreamKiB }, null, 2))
