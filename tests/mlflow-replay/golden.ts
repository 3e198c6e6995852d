import { readdir, readFile } from 'node:fs/promises'

/** Recordings of a real MLflow server; a response that is not JSON is `{ $text }`. */
export interface GoldenSet {
  readonly set: string
  readonly ops: readonly { readonly op: string; readonly exchanges: readonly Exchange[] }[]
}

export interface Exchange {
  readonly request: {
    readonly method: string
    readonly path: string
    readonly query?: readonly (readonly [string, string])[]
    readonly body?: unknown
    readonly headers?: Readonly<Record<string, string>>
  }
  readonly status: number
  readonly response: unknown
  readonly response_headers?: Readonly<Record<string, string>>
}

/** The order in which they were recorded: each builds on what the ones before left behind. */
const CAPTURED = ['07', '01', '02', '03', '04', '05', '06', '08', '09', '10', '11', '12', '13', '14']

const folder = new URL('../mlflow-golden/', import.meta.url)

export async function readGoldenSets(): Promise<GoldenSet[]> {
  const files = await readdir(folder)
  return Promise.all(
    CAPTURED.map(async (number) => {
      const file = files.find((name) => name.startsWith(`${number}-`))
      if (file === undefined) throw new Error(`no golden set ${number}`)
      return JSON.parse(await readFile(new URL(file, folder), 'utf8')) as GoldenSet
    }),
  )
}

/** `xxx…[string of N chars]` in a request is that character N times. */
export function expandLong<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_, one: unknown) => {
    const count = typeof one === 'string' ? LONG.exec(one)?.groups?.count : undefined
    return count === undefined ? one : String(one).charAt(0).repeat(Number(count))
  }) as T
}

export const LONG = /^(?<start>.*)\.\.\.\[string of (?<count>\d+) chars\]$/su

export interface GoldenModel {
  readonly name: string
  readonly description?: string
  readonly tags?: readonly { readonly key: string; readonly value: string }[]
}
export interface GoldenVersion extends GoldenModel {
  readonly version: string
  readonly source: string
  readonly run_id: string
  readonly run_link: string
}

/** The first answer that shows a prompt or model, in the order of capture. */
export function firstShownModel(sets: readonly GoldenSet[], name: string): GoldenModel {
  return firstShown(sets, (it): it is GoldenModel & Shown => it.name === name && !('version' in it))
}

/** The first answer that shows a version of it; without one of that number, the first of any number. */
export function firstShownVersion(sets: readonly GoldenSet[], name: string, version: number): GoldenVersion {
  const isVersion = (it: Shown): it is GoldenVersion & Shown => it.name === name && 'current_stage' in it
  const numbered = (it: Shown): it is GoldenVersion & Shown => isVersion(it) && it.version === String(version)
  return findShown(sets, numbered) ?? firstShown(sets, isVersion)
}

type Shown = Readonly<Record<string, unknown>>

function firstShown<T extends Shown>(sets: readonly GoldenSet[], is: (it: Shown) => it is T): T {
  const found = findShown(sets, is)
  if (found === undefined) throw new Error('no golden answer shows it')
  return found
}

function findShown<T extends Shown>(sets: readonly GoldenSet[], is: (it: Shown) => it is T): T | undefined {
  for (const { ops } of sets)
    for (const { exchanges } of ops)
      for (const { status, response } of exchanges)
        if (status === 200) for (const it of objectsIn(response)) if (is(it)) return it
  return undefined
}

function* objectsIn(value: unknown): Generator<Shown> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield value as Shown
  for (const one of Object.values(value)) yield* objectsIn(one)
}
