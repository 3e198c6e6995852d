import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, ask } from '../support/ask.ts'
import { type Exchange, expandLong, type GoldenSet } from './golden.ts'
import { createTrackingComparison } from './tracking-compare.ts'

/** A recorded exchange that our server answers in another way. */
export interface TrackingDeviation {
  /** `26 runs/create tag 8001`: the number of the set and the operation. */
  readonly at: string
  readonly request: Exchange['request']
  readonly differences: readonly string[]
}

export interface TrackingReplay {
  readonly sent: number
  /** Calls that the server does not serve yet -> how many exchanges were left out. */
  readonly leftOut: Readonly<Record<string, number>>
  readonly deviations: readonly TrackingDeviation[]
}

const SETS = [
  '20-experiments',
  '21-runs',
  '22-log-batch',
  '23-search-runs',
  '26-raw-tracking-errors',
] as const

const SERVED = new Set([
  'metrics/get-history',
  ...['create', 'get', 'get-by-name', 'search'].map((call) => `experiments/${call}`),
  ...['create', 'get', 'update', 'search', 'log-batch', 'log-metric', 'log-parameter', 'set-tag'].map(
    (call) => `runs/${call}`,
  ),
])

/**
 * Sends what recorded tracking clients sent, in their order, to a server that starts empty. What no exchange does
 * and yet was there (experiments 5 to 8, the runs of sets 22, 23 and 26) is made with the values of the first
 * answer that shows it.
 */
export async function replayTracking(server: string): Promise<TrackingReplay> {
  const comparison = createTrackingComparison()
  const deviations: TrackingDeviation[] = []
  const leftOut: Record<string, number> = {}
  let sent = 0
  for (const name of SETS) {
    const set = await readSet(name)
    const number = name.slice(0, 2)
    await prepare(number, set, server, comparison.learn)
    for (const { op, exchanges } of set.ops) {
      if (number === '20' && op === 'delete_experiment')
        await write(server, 'experiments/create', { name: 'exp-del' })
      for (const exchange of exchanges) {
        const call = exchange.request.path.split('/mlflow/')[1] ?? ''
        if (!SERVED.has(call)) {
          leftOut[call] = (leftOut[call] ?? 0) + 1
          continue
        }
        const { request } = exchange
        const ours = await send(server, expandLists(expandLong(comparison.translate(request)), op))
        sent += 1
        const differences = comparison.differences(exchange, ours)
        if (differences.length > 0) deviations.push({ at: `${number} ${op}`, request, differences })
      }
    }
  }
  return { sent, leftOut, deviations }
}

async function readSet(name: string): Promise<GoldenSet> {
  const file = new URL(`../mlflow-golden/${name}.json`, import.meta.url)
  // What the recorded client made of the answers is Python's JSON, with numbers that JSON does not have.
  const text = (await readFile(file, 'utf8')).replace(/: (?:NaN|-?Infinity)(?=[,}\s])/g, ': null')
  return JSON.parse(text) as GoldenSet
}

async function send(server: string, { method, path, query, body }: Exchange['request']): Promise<Answer> {
  const answer = await ask(server, {
    method,
    path,
    query,
    body: body === undefined || body === null ? undefined : JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })
  if (method !== 'GET') await sleep(2) // as a real server: no two creations in one millisecond
  return answer
}

/**
 * `[first, second, third, "...[array of N items]"]` in a request is N such items: where the three count up, so do
 * the others. The one list that does not goes round in fives.
 */
function expandLists(request: Exchange['request'], op: string): Exchange['request'] {
  return JSON.parse(JSON.stringify(request), (_, value: unknown) => {
    const count = Array.isArray(value)
      ? /^\.\.\.\[array of (\d+) items\]$/.exec(String(value.at(-1)))?.[1]
      : undefined
    if (count === undefined) return value
    const [first] = value as Record<string, unknown>[]
    return Array.from({ length: Number(count) }, (_, index) =>
      Object.fromEntries(
        Object.entries(first ?? {}).map(([field, start]) => [
          field,
          counted(
            value as Record<string, unknown>[],
            field,
            start,
            field === 'key' && /1001/.test(op) ? index % 5 : index,
          ),
        ]),
      ),
    )
  }) as Exchange['request']
}

function counted(
  items: readonly Record<string, unknown>[],
  field: string,
  start: unknown,
  index: number,
): unknown {
  if (items[1]?.[field] === start) return start
  return typeof start === 'number' ? start + index : String(start).replace(/0$/, String(index))
}

interface GoldenRun {
  readonly info: Readonly<Record<string, unknown>> & { readonly run_id: string; readonly run_name: string }
  readonly data?: {
    readonly tags?: readonly { readonly key: string; readonly value: string }[]
    readonly params?: readonly object[]
    readonly metrics?: readonly object[]
  }
}

async function prepare(
  number: string,
  set: GoldenSet,
  server: string,
  learn: (recorded: string, ours: string) => void,
): Promise<void> {
  const remake = async (name: string, whole: boolean) => {
    const { info, data = {} } = firstShownRun(set, name, whole)
    const { experiment_id, run_name, user_id, start_time, status, end_time } = info
    const tags = data.tags ?? []
    const draft = { experiment_id, run_name, user_id, start_time, tags }
    const { run } = (await write(server, 'runs/create', draft)) as { run: GoldenRun }
    learn(info.run_id, run.info.run_id)
    const { params = [], metrics = [] } = data
    const run_id = run.info.run_id
    if (!whole) return
    await write(server, 'runs/log-batch', { run_id, params, metrics })
    await write(server, 'runs/update', { run_id, status, end_time })
  }
  const runNames = ['run0', 'run1', 'run2', 'run3', 'run4']
  if (number === '22') await remake('batch', false)
  if (number === '23') {
    await write(server, 'experiments/create', { name: 'experiment of set 23' })
    for (const name of runNames) await remake(name, true)
  }
  if (number === '26') {
    await write(server, 'experiments/create', { name: 'experiment of set 24' })
    await write(server, 'experiments/create', { name: 'exp-errc03969' })
    for (const name of ['run0', 'run2', 'run4']) await remake(name, false)
  }
}

/** `whole`: with what it holds at the end, else as it was made. */
function firstShownRun(set: GoldenSet, name: string, whole: boolean): GoldenRun {
  for (const { ops } of [set])
    for (const { exchanges } of ops)
      for (const { response } of exchanges) {
        const found = runsIn(response).find(({ info }) => info.run_name === name)
        if (found && whole) return found
        if (found) return { info: { ...found.info, status: 'RUNNING' } }
      }
  throw new Error(`no golden answer shows the run ${name}`)
}

function runsIn(value: unknown): GoldenRun[] {
  if (typeof value !== 'object' || value === null) return []
  if ('info' in value) return [value as GoldenRun]
  if ('run_info' in value) return [{ info: value.run_info } as GoldenRun]
  return Object.values(value).flatMap(runsIn)
}

async function write(server: string, call: string, body: object): Promise<unknown> {
  const request = { method: 'POST', path: `/api/2.0/mlflow/${call}`, body }
  const { status, body: answer } = await send(server, request)
  if (status !== 200) throw new Error(`${call} answered ${status} ${JSON.stringify(answer)}`)
  return answer
}
