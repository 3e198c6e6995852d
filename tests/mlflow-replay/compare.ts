import type { Answer } from '../support/ask.ts'
import { type Exchange, LONG } from './golden.ts'

/** One thing in which an answer is not the recorded one. */
export interface Difference {
  /** `status`, `header allow`, or where in the body: `registered_model.tags[0].value`. */
  readonly at: string
  readonly mlflow: unknown
  readonly ours: unknown
}

/** Fields whose values are the server's own: only which of them are equal is compared. */
const TIMES = ['creation_timestamp', 'last_updated_timestamp']
const HEADERS = ['allow', 'access-control-allow-origin']

/** Compares answers with recorded ones; remembers which of our values stands for which recorded one. */
export function createComparison() {
  const times = new Map<string, unknown>()
  const tokens = new Map<string, string>()

  function compare(mlflow: unknown, ours: unknown, at: string): Difference[] {
    if (isRecord(mlflow) && isRecord(ours)) return compareObjects(mlflow, ours, at)
    if (Array.isArray(mlflow) && Array.isArray(ours)) {
      if (mlflow.length !== ours.length)
        return [{ at: `${at}.length`, mlflow: mlflow.length, ours: ours.length }]
      return mlflow.flatMap((one, index) => compare(one, ours[index], `${at}[${index}]`))
    }
    return isSame(mlflow, ours) ? [] : [{ at, mlflow, ours }]
  }

  function compareObjects(mlflow: Fields, ours: Fields, at: string): Difference[] {
    const keys = [...new Set([...Object.keys(mlflow), ...Object.keys(ours)])]
    return keys.flatMap((key) => {
      const where = at === '' ? key : `${at}.${key}`
      if (!(key in mlflow) || !(key in ours)) return [{ at: where, mlflow: mlflow[key], ours: ours[key] }]
      if (TIMES.includes(key)) return compareTime(mlflow, ours, key, where)
      if (key === 'next_page_token') return compareToken(mlflow[key], ours[key], where)
      if (key === 'message')
        return isSame(printed(mlflow[key]), printed(ours[key]))
          ? []
          : [{ at: where, mlflow: mlflow[key], ours: ours[key] }]
      return compare(mlflow[key], ours[key], where)
    })
  }

  /** Of one row, equal recorded times are equal with us, and no update lies before the creation. */
  function compareTime(mlflow: Fields, ours: Fields, field: string, at: string): Difference[] {
    const row = `${mlflow.name}/${mlflow.version ?? ''}/${mlflow[field]}`
    const known = times.get(row) ?? ours[field]
    times.set(row, known)
    const isTime =
      Number.isInteger(ours[field]) && Number(ours.creation_timestamp) <= Number(ours.last_updated_timestamp)
    return isTime && known === ours[field] ? [] : [{ at, mlflow: `as before: ${known}`, ours: ours[field] }]
  }

  function compareToken(mlflow: unknown, ours: unknown, at: string): Difference[] {
    if (typeof mlflow !== 'string' || typeof ours !== 'string') return [{ at, mlflow, ours }]
    tokens.set(mlflow, ours)
    return []
  }

  return {
    /** Our page token for a recorded one that we have handed out. */
    tokenFor: (recorded: string): string => tokens.get(recorded) ?? recorded,

    differences({ status, response, response_headers = {} }: Exchange, ours: Answer): Difference[] {
      const headers = HEADERS.filter((name) => name in response_headers).flatMap((name) =>
        compare(asSet(response_headers[name]), asSet(ours.headers[name]), `header ${name}`),
      )
      const body = isPage(response) ? [] : compare(response, ours.body, '')
      // Of an answer with another status the body is another one: one difference, not one a field.
      return status === ours.status
        ? [...headers, ...body]
        : [{ at: 'status', mlflow: status, ours: ours.status }]
    },
  }
}

type Fields = Readonly<Record<string, unknown>>
const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const asSet = (header: string | undefined) => header?.split(', ').sort()

/** HTML pages are for people: they are not compared. */
const isPage = (response: unknown) =>
  isRecord(response) && typeof response.$text === 'string' && /^<!doctype html/i.test(response.$text)

function isSame(mlflow: unknown, ours: unknown): boolean {
  if (mlflow === ours) return true
  const { start, count } = (typeof mlflow === 'string' && LONG.exec(mlflow)?.groups) || {}
  if (start === undefined || typeof ours !== 'string') return false
  return ours.startsWith(start) && ours.length === Number(count)
}

/** SQL is not compared, and Python prints a set in any order. */
function printed(message: unknown): unknown {
  if (typeof message !== 'string') return message
  return message
    .replace(/ Error: \((sqlite3|raised as)[\s\S]*$/, '')
    .replace(/\{('[^']*'(?:, '[^']*')*)\}/g, (_, items: string) => `{${items.split(', ').sort().join(', ')}}`)
}
