import { extname } from 'node:path'
import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import type { z } from 'zod'
import { messageOf, SourceError, type SourceProblem } from './errors.ts'

/** A document that was written by a person: its value, and where each part of it stands. */
export interface SourceFile {
  /** As the person named it; for messages. */
  readonly path: string
  readonly value: unknown
  /** The line of the deepest part of `path` that exists, from 1. */
  lineOf(path: readonly PropertyKey[]): number
}

/** A problem at a place in a document. */
export interface Issue {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/**
 * Reads YAML and JSON (one document), or JSON Lines by the name's ending (a list of its records).
 * @throws {SourceError} Every syntax error with its line.
 */
export function parseSource(text: string, path: string): SourceFile {
  const marked = withoutMark(text)
  return extname(path) === '.jsonl' ? parseLines(marked, path) : parseDocumentText(marked, path)
}

/** Some editors begin a file with a byte order mark, which is no part of what it says. */
export const withoutMark = (text: string): string => text.replace(/^\uFEFF/, '')

/**
 * The document as `schema` reads it.
 * @throws {SourceError} Everything that the schema has against it, each with its line.
 */
export function readAs<T>(source: SourceFile, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(source.value)
  if (parsed.success) return parsed.data
  return refuse(source, issuesOf(parsed.error))
}

/** @throws {SourceError} `issues`, each with its line. */
export function refuse(source: SourceFile, issues: readonly Issue[]): never {
  const problems = issues.map(({ path, message }) => ({
    line: source.lineOf(path),
    message: path.length === 0 ? message : `${formatPath(path)}: ${message}`,
  }))
  throw new SourceError(
    source.path,
    problems.sort((a, b) => a.line - b.line),
  )
}

/** Zod's issues as ours. An unknown key is reported where it stands, not at the object that holds it. */
export function issuesOf(error: z.ZodError, at: readonly PropertyKey[] = []): Issue[] {
  return error.issues.flatMap((issue): Issue[] => {
    const path = [...at, ...issue.path]
    if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }]
    return issue.keys.map((key) => ({ path: [...path, key], message: 'no such key here' }))
  })
}

function parseDocumentText(text: string, path: string): SourceFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line)
  const problems = [...document.errors, ...document.warnings].map(
    (error): SourceProblem => ({ line: lineAt(error.pos[0]), message: firstLine(error.message) }),
  )
  if (problems.length > 0) throw new SourceError(path, problems)
  return {
    path,
    value: toValue(() => document.toJS(), path),
    lineOf: (at) => lineAt(offsetOf(document.contents, at)),
  }
}

function parseLines(text: string, path: string): SourceFile {
  const records: { readonly line: number; readonly value: unknown }[] = []
  const problems: SourceProblem[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue
    try {
      records.push({ line: index + 1, value: JSON.parse(line) })
    } catch (error) {
      problems.push({ line: index + 1, message: `not JSON: ${messageOf(error)}` })
    }
  }
  if (problems.length > 0) throw new SourceError(path, problems)
  return {
    path,
    value: records.map(({ value }) => value),
    lineOf: ([index]) => (typeof index === 'number' ? (records[index]?.line ?? 1) : 1),
  }
}

/** Walks down `path`; a map's entry stands where its key stands, also when the value starts a line later. */
function offsetOf(root: Node | null, path: readonly PropertyKey[]): number {
  let node: unknown = root
  let offset = root?.range?.[0] ?? 0
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
      if (!isPair(pair)) return offset
      offset = (isScalar(pair.key) ? pair.key.range?.[0] : undefined) ?? offset
      node = pair.value
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step]
      offset = rangeStart(node) ?? offset
    } else return offset
  }
  return offset
}

const rangeStart = (node: unknown): number | undefined =>
  isMap(node) || isSeq(node) || isScalar(node) ? node.range?.[0] : undefined

/** Resolving YAML's own references can fail: too many of them, or one to nothing. */
function toValue(read: () => unknown, path: string): unknown {
  try {
    return read()
  } catch (error) {
    throw new SourceError(path, [{ line: 1, message: messageOf(error) }])
  }
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? text

/** `scorers[0].contains.phrases` */
const formatPath = (path: readonly PropertyKey[]): string =>
  path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${String(step)}`))
    .map(String)
    .join('')
