import { CsvError, parse } from 'csv-parse/sync'
import { messageOf, SourceError, type SourceProblem } from './errors.ts'
import type { SourceFile } from './source-file.ts'

/** What stands in a column: text as it is, tags, a number, or JSON. */
const COLUMNS: Readonly<Record<string, (cell: string) => unknown>> = {
  id: (cell) => cell,
  input: (cell) => cell,
  turns: json,
  expected: json,
  context: json,
  seed: json,
  tags: tagsIn,
  weight: numberOrText,
  cluster: (cell) => cell,
}
/** Columns that may be taken apart: `expected.contains`. */
const OPEN = ['expected', 'context', 'seed']

interface Column {
  readonly name: string
  /** Where a case has what stands in it. */
  readonly path: readonly string[]
  readonly read: (cell: string) => unknown
}

interface Row {
  readonly cells: readonly string[]
  /** The line that each cell starts at, from 1. */
  readonly lines: readonly number[]
}

/**
 * Reads a dataset in CSV (RFC 4180): the first row names the columns, each further one is a case. An empty cell is a key that
 * the case doesn't have. A line break inside a cell is `\n`, whatever the file's own line breaks are, so that a checkout with
 * others has the same cases.
 * @param text - Without a byte order mark.
 * @throws {SourceError} Everything that is wrong with its form, each with its line.
 */
export function parseCsv(text: string, path: string): SourceFile {
  const [header, ...rows] = readRows(text, path)
  if (!header)
    throw new SourceError(path, [{ line: 1, message: 'is empty: its first line names the columns' }])
  const columns = readColumns(header, path)
  const problems: SourceProblem[] = []
  const value = rows.map((row) => readCase(row, columns, problems))
  if (problems.length > 0) throw new SourceError(path, problems)
  return {
    path,
    value,
    lineOf([index, ...at]) {
      const row = typeof index === 'number' ? rows[index] : undefined
      if (!row) return 1
      const column = columns.findIndex((one) => one.path.every((step, i) => step === at[i]))
      return row.lines[Math.max(0, column)] ?? 1
    },
  }
}

function readRows(text: string, path: string): Row[] {
  const source = text.replace(/\r\n?/g, '\n')
  const rows: Row[] = []
  let read = 0
  try {
    parse(source, {
      record_delimiter: '\n',
      relax_column_count: true,
      skip_empty_lines: true,
      on_record(record: readonly string[], { lines }) {
        rows.push(rowOf(record, lines))
        read = lines
      },
    })
    return rows
  } catch (error) {
    throw new SourceError(path, [syntaxProblem(error, nextRow(source, read))])
  }
}

/** @param end - The line that the row ends at. */
function rowOf(cells: readonly string[], end: number): Row {
  const breaks = cells.map((cell) => cell.split('\n').length - 1)
  return { cells, lines: breaks.map((_, i) => end - sum(breaks.slice(i))) }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)

/** The line of the first row after `read` lines. */
function nextRow(source: string, read: number): number {
  const rest = source.split('\n').slice(read)
  return (
    read +
    1 +
    Math.max(
      0,
      rest.findIndex((line) => line !== ''),
    )
  )
}

/** The library's code -> what a person can do about it. */
const SYNTAX: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quoted cell of the row that begins here is not closed before the file ends',
  CSV_INVALID_CLOSING_QUOTE:
    'text after the closing quote of a cell; a quote inside of a cell is written twice',
  INVALID_OPENING_QUOTE:
    'a quote inside of a cell that is not quoted: quote the cell, and write the quote twice',
}

/** @param row - Where the row begins that could not be read. */
function syntaxProblem(error: unknown, row: number): SourceProblem {
  if (!(error instanceof CsvError)) return { line: row, message: `not CSV: ${messageOf(error)}` }
  const known = SYNTAX[error.code]
  const isOpen = error.code === 'CSV_QUOTE_NOT_CLOSED'
  const line = !isOpen && typeof error.lines === 'number' ? error.lines : row
  return { line, message: known ?? `not CSV: ${error.message}` }
}

function readColumns({ cells, lines }: Row, path: string): Column[] {
  const columns = cells.map(columnOf)
  const problems = cells.flatMap((name, i): SourceProblem[] => {
    const message = columnProblem(name, columns.slice(0, i), columns[i])
    return message === undefined ? [] : [{ line: lines[i] ?? 1, message }]
  })
  if (problems.length > 0) throw new SourceError(path, problems)
  return columns.flatMap((column) => column ?? [])
}

function columnOf(name: string): Column | undefined {
  const path = name.split('.')
  const read = Object.hasOwn(COLUMNS, name) ? COLUMNS[name] : undefined
  if (read) return { name, path, read }
  const isPart = OPEN.includes(path[0] ?? '') && path.every((step) => step !== '' && step !== '__proto__')
  return isPart ? { name, path, read: value } : undefined
}

function columnProblem(
  name: string,
  before: readonly (Column | undefined)[],
  column: Column | undefined,
): string | undefined {
  if (!column) {
    const known = `there are ${Object.keys(COLUMNS).join(', ')}, and parts such as expected.contains`
    const other = /[;\t|]/.exec(name)?.[0]
    const hint =
      other === undefined ? '' : `; columns are separated by commas, not by ${JSON.stringify(other)}`
    return `no such column: ${JSON.stringify(name)}; ${known}${hint}`
  }
  const same = before.find((other) => other && isWithin(other.path, column.path))
  if (!same) return undefined
  return same.name === name
    ? `column ${name} stands there twice`
    : `columns ${same.name} and ${name} would both say what ${[same.name, name].sort()[0]} is`
}

/** Whether one of them holds the other. */
const isWithin = (a: readonly string[], b: readonly string[]): boolean =>
  a.slice(0, b.length).every((step, i) => step === b[i])

function readCase(row: Row, columns: readonly Column[], problems: SourceProblem[]): unknown {
  const { cells, lines } = row
  const read: Record<string, unknown> = {}
  if (cells.length !== columns.length) {
    const message = `has ${cells.length} cells, and the header ${columns.length}`
    problems.push({ line: lines[0] ?? 1, message })
    return read
  }
  for (const [i, { name, path, read: readCell }] of columns.entries()) {
    const cell = cells[i] ?? ''
    if (cell === '') continue
    try {
      put(read, path, readCell(cell))
    } catch (error) {
      problems.push({ line: lines[i] ?? 1, message: `${name}: ${messageOf(error)}` })
    }
  }
  return read
}

function put(into: Record<string, unknown>, [step = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    into[step] = value
    return
  }
  into[step] ??= {}
  put(into[step] as Record<string, unknown>, rest, value)
}

function json(cell: string): unknown {
  try {
    return JSON.parse(cell)
  } catch (error) {
    throw new Error(`must be JSON: ${messageOf(error)}`, { cause: error })
  }
}

/** `short;two turns`, or a list in JSON. */
function tagsIn(cell: string): unknown {
  if (cell.trimStart().startsWith('[')) return json(cell)
  return cell
    .split(';')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '')
}

/** What begins like JSON has to be some: `[hi` is a slip. Any other text stands for itself. */
function value(cell: string): unknown {
  if (cell === 'true') return true
  if (cell === 'false') return false
  if (cell === 'null') return null
  if (!/^\s*["[{]/.test(cell)) return numberOrText(cell)
  try {
    return json(cell)
  } catch (error) {
    throw new Error(
      `${messageOf(error)}; text that begins like it is written as JSON text: "\\"Hi\\" he said"`,
      {
        cause: error,
      },
    )
  }
}

/** A number only if nothing is lost by it: `1.10`, `007` and `1e3` are text. */
function numberOrText(cell: string): number | string {
  const number = Number(cell)
  return Number.isFinite(number) && String(number) === cell ? number : cell
}
