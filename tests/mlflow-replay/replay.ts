import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, ask } from '../support/ask.ts'
import { createComparison, type Difference } from './compare.ts'
import { type Exchange, expandLong, firstShownModel, firstShownVersion, type GoldenSet } from './golden.ts'

/** A recorded exchange that our server answers in another way. */
export interface Deviation {
  /** `13 page_token='W10='`: the number of the set and the operation, with a count when it comes again. */
  readonly at: string
  readonly exchange: Exchange
  readonly ours: Answer
  readonly differences: readonly Difference[]
}

export interface Replay {
  /** Exchanges that were sent. */
  readonly sent: number
  readonly deviations: readonly Deviation[]
}

/** Sends what a recorded client sent, in the recorded order, to a server that starts empty. `onAnswer` hears all of it. */
export async function replay(
  sets: readonly GoldenSet[],
  server: string,
  onAnswer: (exchange: Exchange, ours: Answer) => void = () => {},
): Promise<Replay> {
  const comparison = createComparison()
  const deviations: Deviation[] = []
  let sent = 0
  for (const { set, ops } of sets) {
    const number = set.slice(0, 2)
    await prepareSet(number, sets, server)
    const seen = new Map<string, number>()
    for (const { op, exchanges } of ops) {
      if (number === '08' && op === 'prompt with no versions: latest')
        await deleteVersions(server, 'del', [1, 2])
      const count = (seen.get(op) ?? 0) + 1
      seen.set(op, count)
      for (const exchange of exchanges) {
        const ours = await send(exchange, op, server, comparison.tokenFor)
        sent += 1
        onAnswer(exchange, ours)
        const differences = comparison.differences(exchange, ours)
        const at = `${number} ${op}${count === 1 ? '' : ` (${count})`}`
        if (differences.length > 0) deviations.push({ at, exchange, ours, differences })
      }
    }
  }
  return { sent, deviations }
}

async function send(
  { request }: Exchange,
  op: string,
  server: string,
  tokenFor: (recorded: string) => string,
): Promise<Answer> {
  const { method, path, query = [], body, headers = {} } = expandLong(request)
  const json = op === 'body: no content type' ? {} : { 'content-type': 'application/json' }
  const answer = await ask(server, {
    method,
    path,
    query: query.map(([key, value]) => [key, key === 'page_token' ? tokenFor(value) : value]),
    body: bodyText(body),
    headers: { ...json, ...headers },
  })
  // Real servers never answer two writes in one millisecond, and some orders are by time.
  if (method !== 'GET') await sleep(2)
  return answer
}

function bodyText(body: unknown): string | undefined {
  if (body === undefined || body === null) return undefined
  const text = (body as { $text?: string }).$text
  return text ?? JSON.stringify(body)
}

/** What no exchange does and yet was there, with the values of the first answer that shows it. */
async function prepareSet(number: string, sets: readonly GoldenSet[], server: string): Promise<void> {
  const make = (name: string, versions: number) => makeModel(sets, server, name, versions)
  if (number === '07') {
    for (const index of [0, 1, 2, 3, 4, 5, 6]) await make(`s${index}`, 1)
    await make('a-real-model', 0)
    await make('greet', 4)
  }
  if (number === '01') await write(server, 'DELETE', 'registered-models/delete', { name: 'greet' })
  if (number === '04') await setAlias(server, 'greet', 'prod', 1)
  if (number === '08') {
    await make('del', 3)
    await setAlias(server, 'del', 'a1', 1)
    await setAlias(server, 'del', 'a3', 3)
  }
}

async function makeModel(sets: readonly GoldenSet[], server: string, name: string, versions: number) {
  const { description = '', tags = [] } = firstShownModel(sets, name)
  await write(server, 'POST', 'registered-models/create', { name, description, tags })
  for (let version = 1; version <= versions; version += 1) {
    const { description = '', tags = [], source, run_id, run_link } = firstShownVersion(sets, name, version)
    const draft = { name, description, tags, source, run_id, run_link }
    await write(server, 'POST', 'model-versions/create', draft)
  }
}

const setAlias = (server: string, name: string, alias: string, version: number) =>
  write(server, 'POST', 'registered-models/alias', { name, alias, version: String(version) })

async function deleteVersions(server: string, name: string, versions: readonly number[]): Promise<void> {
  for (const version of versions)
    await write(server, 'DELETE', 'model-versions/delete', { name, version: String(version) })
}

async function write(server: string, method: string, path: string, body: object): Promise<void> {
  const { status, body: answer } = await ask(server, {
    method,
    path: `/api/2.0/mlflow/${path}`,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })
  if (status !== 200) throw new Error(`${method} ${path} answered ${status} ${JSON.stringify(answer)}`)
  await sleep(2)
}
