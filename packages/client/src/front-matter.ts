import canonicalize from 'canonicalize'
import { Document, isMap, isNode, isScalar, LineCounter, parseDocument, type YAMLMap } from 'yaml'
import { InvalidInput } from './errors.ts'
import type { Json, JsonObject } from './prompt.ts'

/** What the front matter of a prompt file may hold, in the order in which a new file gets it. */
const FRONT_MATTER_KEYS = [
  'name',
  'description',
  'type',
  'model_config',
  'response_format',
  'variables',
  'tags',
] as const
export type FrontMatterKey = (typeof FRONT_MATTER_KEYS)[number]

export interface SplitFile {
  /** The lines between the fences, without them; `undefined` when the file has no front matter. */
  readonly front: string | undefined
  readonly body: string
  /** Line of the file on which the body starts, from 1. */
  readonly bodyLine: number
}

/** Typed access to the front matter; each method throws `InvalidInput` with `<path>:<line>` for another type. */
export interface FrontMatter {
  /** Line of a key in the file; 1 when it isn't there. */
  line(key: FrontMatterKey): number
  text(key: FrontMatterKey, allowed?: readonly string[]): string | undefined
  list(key: FrontMatterKey): readonly string[] | undefined
  strings(key: FrontMatterKey): Readonly<Record<string, string>> | undefined
  /** An empty mapping counts as absent: on the wire they are the same. */
  object(key: FrontMatterKey): JsonObject | undefined
}

const FENCE = /^---[ \t]*$/
/** Lines are never folded, and equal values are written out: people read and edit this. */
const YAML_OUT = { lineWidth: 0, aliasDuplicateObjects: false } as const

export const isFence = (line: string): boolean => FENCE.test(line)
export const toYaml = (value: unknown): string => new Document(value, YAML_OUT).toString(YAML_OUT)

/** An error of a prompt file: where, then what. */
export const fileError = (path: string, line: number, message: string): InvalidInput =>
  new InvalidInput(`${path}:${line}: ${message}`)

/** Parts a file at its fences; takes a byte order mark and CRLF. @throws {InvalidInput} when the second fence is missing */
export function splitFile(text: string, path: string): SplitFile {
  const lines = text
    .replace(/^\uFEFF/, '')
    .replaceAll('\r\n', '\n')
    .split('\n')
  if (!isFence(lines[0] ?? '')) return { front: undefined, body: lines.join('\n'), bodyLine: 1 }
  const end = lines.findIndex((line, index) => index > 0 && isFence(line))
  if (end < 0) throw fileError(path, 1, 'the front matter is not closed: end it with a line of its own, ---')
  return {
    front: lines.slice(1, end).join('\n'),
    body: lines.slice(end + 1).join('\n'),
    bodyLine: end + 2,
  }
}

/** YAML of a part of a file as JSON, with the line of every node. @param firstLine - The part's first line in the file. */
export function parseYaml(text: string, path: string, firstLine: number) {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const lineAt = (offset: number) => lines.linePos(offset).line + firstLine - 1
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined)
    throw fileError(
      path,
      lineAt(problem.pos[0]),
      `is not valid YAML: ${problem.message.split(/ at line |\n/)[0]}`,
    )
  const lineOf = (node: unknown) => (isNode(node) && node.range ? lineAt(node.range[0]) : firstLine)
  const json = (node: unknown): Json => {
    const value: unknown = isNode(node) ? node.toJS(document) : node
    const bad = findNonJson(value)
    if (bad !== undefined) throw fileError(path, lineOf(node), `${bad} cannot be written as JSON`)
    return value as Json
  }
  return { document, lineOf, json }
}

/** @param front - The lines between the fences. @throws {InvalidInput} for broken YAML and unknown keys */
export function readFrontMatter(front: string | undefined, path: string): FrontMatter {
  const { document, lineOf, json } = parseYaml(front ?? '', path, 2)
  const { contents } = document
  if (contents !== null && !isMap(contents) && json(contents) !== null)
    throw fileError(path, lineOf(contents), `the front matter must be "key: value" lines; ${allowedKeys}`)
  const map = isMap(contents) ? (contents as YAMLMap) : undefined
  for (const { key } of map?.items ?? []) {
    const given = isScalar(key) ? String(key.value) : String(key)
    if (!(FRONT_MATTER_KEYS as readonly string[]).includes(given))
      throw fileError(path, lineOf(key), `unknown key "${given}"; ${allowedKeys}`)
  }
  const line = (key: FrontMatterKey) =>
    lineOf(map?.items.find((item) => isScalar(item.key) && item.key.value === key)?.key)
  const value = (key: FrontMatterKey) => {
    const node = map?.get(key, true)
    return node === undefined ? undefined : (json(node) ?? undefined)
  }
  const wrong = (key: FrontMatterKey, given: Json, wanted: string) =>
    fileError(path, line(key), `${key} must be ${wanted}, not ${JSON.stringify(given)}`)

  return {
    line,
    text(key, allowed) {
      const given = value(key)
      if (given === undefined) return undefined
      if (typeof given !== 'string') throw wrong(key, given, 'text')
      if (allowed && !allowed.includes(given)) throw wrong(key, given, allowed.join(' or '))
      return given
    },
    list(key) {
      const given = value(key)
      if (given === undefined) return undefined
      if (!Array.isArray(given) || !given.every((item) => typeof item === 'string'))
        throw wrong(key, given, 'a list of names')
      return given
    },
    strings(key) {
      const given = value(key)
      if (given === undefined) return undefined
      if (!isObject(given)) throw wrong(key, given, 'a mapping of names to text')
      for (const [name, text] of Object.entries(given))
        if (typeof text !== 'string')
          throw wrong(key, text, `a mapping of names to text: quote the value of "${name}"`)
      return given as Record<string, string>
    },
    object(key) {
      const given = value(key)
      if (given === undefined) return undefined
      if (!isObject(given)) throw wrong(key, given, 'a mapping')
      return Object.keys(given).length === 0 ? undefined : given
    },
  }
}

const allowedKeys = `allowed are ${FRONT_MATTER_KEYS.join(', ')}`

/**
 * The front matter with these values: comments, order and quoting of what was there stay, and only what differs
 * is changed. `undefined` removes a key.
 */
export function editFrontMatter(
  front: string | undefined,
  values: Readonly<Record<FrontMatterKey, unknown>>,
): string {
  const document = parseDocument(front ?? '')
  let changed = false
  for (const key of FRONT_MATTER_KEYS) {
    const before = document.getIn([key], true)
    if (sameJson(isNode(before) ? before.toJS(document) : before, values[key])) continue
    edit(document, [key], values[key])
    changed = true
  }
  if (!changed) return front ?? ''
  return isMap(document.contents) && document.contents.items.length > 0 ? document.toString(YAML_OUT) : ''
}

/** Goes down mappings so that the comments of what stays are kept. */
function edit(document: Document, path: readonly string[], value: unknown): void {
  const node = document.getIn(path, true)
  if (value === undefined) {
    document.deleteIn(path)
  } else if (isMap(node) && isObject(value)) {
    for (const { key } of [...node.items])
      if (isScalar(key) && !(String(key.value) in value)) document.deleteIn([...path, String(key.value)])
    for (const [key, item] of Object.entries(value)) {
      const before = document.getIn([...path, key], true)
      if (!sameJson(isNode(before) ? before.toJS(document) : before, item))
        edit(document, [...path, key], item)
    }
  } else if (isScalar(node) && (typeof value !== 'object' || value === null)) {
    node.value = value
  } else {
    document.setIn(path, document.createNode(value))
  }
}

/** The order of keys is not a difference: a registry may answer them in another one. */
const sameJson = (a: unknown, b: unknown) => canonicalize(a) === canonicalize(b)

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function findNonJson(value: unknown): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : String(value)
  if (Array.isArray(value)) return value.map(findNonJson).find((bad) => bad !== undefined)
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
    return findNonJson(Object.values(value))
  return `a value of type ${typeof value}`
}
