import type { Answer } from '../support/ask.ts'
import { type Exchange, LONG } from './golden.ts'

/** The server's own: only their kind and their order are compared. */
const TIMES = ['creation_time', 'last_update_time']
const RANDOM_NAME = /^[a-z]+-[a-z]+-\d+$/

/**
 * Compares tracking answers with recorded ones. Ids of runs and names that a server made up are learned from the
 * first answer that shows them, and translated from then on.
 */
export function createTrackingComparison() {
  const known = new Map<string, string>()

  const learn = (recorded: string, ours: string) => {
    known.set(recorded, ours)
  }

  /** A recorded value with our ids and names in it. */
  function translate<T>(value: T): T {
    let text = JSON.stringify(value)
    for (const [recorded, ours] of known) text = text.replaceAll(recorded, ours)
    return JSON.parse(text) as T
  }

  /** A run that this exchange made: its id, and its name where nobody gave one. */
  function learnRun({ response }: Exchange, ours: Answer) {
    const [recorded, made] = [infoOf(response), infoOf(ours.body)]
    if (!recorded || !made) return
    learn(recorded.run_id, made.run_id)
    if (RANDOM_NAME.test(recorded.run_name) && RANDOM_NAME.test(made.run_name)) {
      learn(recorded.run_name, made.run_name)
    }
  }

  return {
    learn,
    translate,
    differences(exchange: Exchange, ours: Answer): string[] {
      if (exchange.request.path.endsWith('/runs/create')) learnRun(exchange, ours)
      if (exchange.status !== ours.status) {
        return [`status: ${exchange.status} in MLflow, ${ours.status} here: ${JSON.stringify(ours.body)}`]
      }
      return compare(translate(exchange.response), ours.body, '')
    },
  }
}

function infoOf(body: unknown): { run_id: string; run_name: string } | undefined {
  const { run } = body as { run?: { info: { run_id: string; run_name: string } } }
  return run?.info
}

function compare(mlflow: unknown, ours: unknown, at: string): string[] {
  if (isRecord(mlflow) && isRecord(ours)) {
    const keys = [...new Set([...Object.keys(mlflow), ...Object.keys(ours)])]
    return keys.flatMap((key) => {
      const where = at === '' ? key : `${at}.${key}`
      if (!(key in mlflow) || !(key in ours)) return [difference(where, mlflow[key], ours[key])]
      if (TIMES.includes(key))
        return Number.isInteger(ours[key]) ? [] : [difference(where, mlflow[key], ours[key])]
      return compare(mlflow[key], ours[key], where)
    })
  }
  if (Array.isArray(mlflow) && Array.isArray(ours)) {
    const cut = /^\.\.\.\[array of (\d+) items\]$/.exec(String(mlflow.at(-1)))?.[1]
    const [shown, length] = cut === undefined ? [mlflow, mlflow.length] : [mlflow.slice(0, -1), Number(cut)]
    if (ours.length !== length) return [difference(`${at}.length`, length, ours.length)]
    return shown.flatMap((one, index) => compare(one, ours[index], `${at}[${index}]`))
  }
  return isSame(mlflow, ours) ? [] : [difference(at, mlflow, ours)]
}

const difference = (at: string, mlflow: unknown, ours: unknown) =>
  `${at}: ${JSON.stringify(mlflow)} in MLflow, ${JSON.stringify(ours)} here`

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function isSame(mlflow: unknown, ours: unknown): boolean {
  if (mlflow === ours) return true
  if (typeof mlflow !== 'string' || typeof ours !== 'string') return false
  const { start, count } = LONG.exec(mlflow)?.groups ?? {}
  if (start !== undefined) return ours.startsWith(start) && ours.length === Number(count)
  return printed(mlflow) === printed(ours)
}

/** SQL is not compared, and Python prints a set in any order. */
const printed = (text: string) =>
  text
    .replace(/ Error: \(sqlite3.*$/s, '')
    .replace(/\{('[^']*'(?:, '[^']*')*)\}/g, (_, items: string) => `{${items.split(', ').sort().join(', ')}}`)
