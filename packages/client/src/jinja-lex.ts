import { InvalidInput } from './errors.ts'
import { WHITE_SPACE } from './template-texts.ts'

/** Position in the text as it was given, in UTF-16 units. */
type Offset = number

/** A template that cannot be read: what is wrong, and where. */
export class TemplateError extends InvalidInput {
  /** `message` without the place. */
  readonly reason: string
  /** Both count from 1. A line ends with LF, CR or both. */
  readonly line: number
  readonly column: number
  readonly at: Offset
  /** As `TemplateText.field`. */
  readonly field: string

  constructor(reason: string, text: string, at: Offset, field: string) {
    const { line, column } = placeOf(text, at)
    super(`template ${field === '' ? '' : `${field} `}line ${line}, column ${column}: ${reason}`)
    this.reason = reason
    this.line = line
    this.column = column
    this.at = at
    this.field = field
  }
}

export function placeOf(text: string, at: Offset): { line: number; column: number } {
  const lines = text.slice(0, at).split(/\r\n|\r|\n/)
  return { line: lines.length, column: [...(lines.at(-1) as string)].length + 1 }
}

export interface Token {
  readonly kind: 'name' | 'string' | 'integer' | 'float' | 'operator' | 'end'
  /** Of a string what it means, of everything else what stands there. */
  readonly value: string
  readonly at: Offset
}

/** What a text consists of. The sources of all pieces, joined, are the text. */
export type Piece =
  | { readonly kind: 'text'; readonly source: string; readonly text: string }
  | { readonly kind: 'comment'; readonly source: string }
  | {
      readonly kind: 'output' | 'statement'
      readonly source: string
      readonly at: Offset
      readonly tokens: readonly Token[]
    }

export type Fail = (reason: string, at: Offset) => never

/** What is told wherever something is refused. */
export const ALLOWED =
  'supported are {{ expression }}, {% if %}, {% elif %}, {% else %}, {% for x in xs %} and {# comments #}, with ' +
  'paths, literals, not, and, or, comparisons, in, "is defined" and "is none"'

const COMMENT_END = new RegExp(`-#\\}[${WHITE_SPACE}]*|\\+?#\\}`, 'g')
const OUTPUT_END = new RegExp(`-\\}\\}[${WHITE_SPACE}]*|\\}\\}`, 'y')
const STATEMENT_END = new RegExp(`-%\\}[${WHITE_SPACE}]*|\\+?%\\}`, 'y')
const BLANKS = new RegExp(`[${WHITE_SPACE}]+`, 'y')
const TRAILING_BLANKS = new RegExp(`[${WHITE_SPACE}]+$`)
// A number after a dot is an index (`xs.0.1`), never a float.
const FLOAT = /(?<!\.)\d+(?:(?:\.\d+)?e[+-]?\d+|\.\d+)/iy
const INTEGER = /\d+/y
const WORD = /[\p{L}\p{N}_]+/uy
const STRING = /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y
const OPERATOR = /==|!=|<=|>=|\*\*|\/\/|[-+*/%~|()[\]{}<>=.,:;]/y

const KINDS: readonly (readonly [Exclude<Token['kind'], 'end'>, RegExp])[] = [
  ['float', FLOAT],
  ['integer', INTEGER],
  ['name', WORD],
  ['string', STRING],
  ['operator', OPERATOR],
]

/**
 * Splits a text as Jinja does with the settings that MLflow uses: all line ends become LF, the last one of the text is
 * dropped, `-` at a tag's brace takes the white space beside it.
 */
export function lex(source: string, fail: Fail): Piece[] {
  const pieces: Piece[] = []
  // Python drops one line end; CR LF is one.
  const last = source.length - (/\r\n$|[\r\n]$/.exec(source)?.[0].length ?? 0)
  let at = 0

  function addText(end: Offset, isStripped: boolean): void {
    if (end === at) return
    const raw = source.slice(at, end)
    const kept = end === source.length ? source.slice(at, Math.max(at, last)) : raw
    const text = kept.replace(/\r\n?/g, '\n')
    pieces.push({ kind: 'text', source: raw, text: isStripped ? withoutTrailingBlanks(text) : text })
    at = end
  }

  const opening = /\{[{%#]/g
  while (true) {
    opening.lastIndex = at
    const start = opening.exec(source)?.index
    if (start === undefined) break
    const sign = source[start + 2]
    addText(start, sign === '-')
    const inner = start + (sign === '-' || sign === '+' ? 3 : 2)
    if (source[start + 1] === '#') {
      COMMENT_END.lastIndex = inner
      const end = COMMENT_END.exec(source)
      if (!end) fail('the comment {# is never closed with #}', start)
      at = COMMENT_END.lastIndex
      pieces.push({ kind: 'comment', source: source.slice(start, at) })
    } else {
      const isOutput = source[start + 1] === '{'
      const tokens: Token[] = []
      at = lexTag(source, inner, start, isOutput ? OUTPUT_END : STATEMENT_END, tokens, fail)
      const kind = isOutput ? 'output' : 'statement'
      pieces.push({ kind, source: source.slice(start, at), at: start, tokens })
    }
  }
  addText(source.length, false)
  return pieces
}

/** @returns Where the text after the tag starts. */
function lexTag(
  source: string,
  from: Offset,
  start: Offset,
  end: RegExp,
  tokens: Token[],
  fail: Fail,
): Offset {
  let at = from
  let open = 0
  const matchAt = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(source)?.[0]
  }
  while (true) {
    at += matchAt(BLANKS)?.length ?? 0
    if (at >= source.length) break
    const ending = open === 0 ? matchAt(end) : undefined
    if (ending !== undefined) {
      tokens.push({ kind: 'end', value: ending, at })
      return at + ending.length
    }
    const kind = KINDS.find(([, pattern]) => matchAt(pattern) !== undefined)
    const found = kind && matchAt(kind[1])
    if (!kind || found === undefined)
      fail(`unexpected "${String.fromCodePoint(source.codePointAt(at) ?? 0)}"`, at)
    if (kind[0] === 'operator') {
      if ('([{'.includes(found)) open++
      else if (')]}'.includes(found) && --open < 0) fail(`unexpected "${found}"`, at)
    }
    tokens.push({ kind: kind[0], value: kind[0] === 'string' ? textOf(found, at, fail) : found, at })
    at += found.length
  }
  const tag = source.slice(start, start + 2)
  return fail(`${tag} is never closed with ${tag === '{{' ? '}}' : '%}'}`, start)
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

function textOf(quoted: string, at: Offset, fail: Fail): string {
  return quoted
    .slice(1, -1)
    .replace(/\r\n?/g, '\n')
    .replace(/\\([\s\S])/g, (written, char: string) => {
      const meaning = Object.hasOwn(ESCAPES, char) ? ESCAPES[char] : undefined
      return (
        meaning ?? fail(`the escape ${written} is not supported; \\n, \\r, \\t, \\\\, \\' and \\" are`, at)
      )
    })
}

/** A pattern that ends in `$` would look again from every blank: quadratic in a long row of them. */
function withoutTrailingBlanks(text: string): string {
  let end = text.length
  while (end > 0 && TRAILING_BLANKS.test(text[end - 1] as string)) end--
  return text.slice(0, end)
}
