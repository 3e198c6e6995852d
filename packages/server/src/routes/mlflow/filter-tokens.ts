import { InvalidInput } from '@promptkeep/client/protocol'

/** One token of MLflow's filter language. `text` is what stood in the filter, quotes included. */
export interface Token {
  readonly kind: 'identifier' | 'string' | 'number' | 'comparator' | 'keyword' | 'list' | 'other'
  readonly text: string
}

const KEYWORDS = new Set(['AND', 'OR', 'NOT', 'IN', 'IS', 'NULL', 'BETWEEN'])

/** Parts of an identifier: a bare word, `back-ticked` or "quoted"; behind a dot a bare one may start with a digit. */
const QUOTED = '`[^`]*`|"[^"]*"'
const FIRST = String.raw`(?:[\p{L}_][\p{L}\p{N}_$#]*|${QUOTED})`
const LATER = String.raw`(?:[\p{L}\p{N}_$#]+|${QUOTED})`

const TOKEN = new RegExp(
  [
    String.raw`(?<space>\s+)`,
    String.raw`(?<comment>--[^\n]*)`,
    String.raw`(?<string>'(?:''|\\'|[^'])*')`,
    String.raw`(?<number>-?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)`,
    String.raw`(?<comparator>[<>=!~]+|(?:NOT\s+)?(?:I?LIKE|RLIKE|REGEXP)\b)`,
    String.raw`(?<identifier>${FIRST}(?:\.${LATER})*)`,
    String.raw`(?<list>\((?:'[^']*'|"[^"]*"|[^()'"])*\))`,
    '(?<other>.)',
  ].join('|'),
  'giusy',
)

/** Five times what the longest filter needs; a list is one token. */
const MAX_TOKENS = 5_000

/**
 * Splits a filter. What the language does not know comes out as `other`, for the parser to refuse.
 * @throws {InvalidInput} when it is longer than any filter may be
 */
export function tokenize(filter: string): Token[] {
  const tokens: Token[] = []
  for (const { 0: text, groups = {} } of filter.matchAll(TOKEN)) {
    const kind = KINDS.find((name) => groups[name] !== undefined)
    if (kind === undefined) continue // space
    if (tokens.length === MAX_TOKENS) throw new InvalidInput(`Filter has more than ${MAX_TOKENS} words`)
    const isKeyword = kind === 'identifier' && KEYWORDS.has(text.toUpperCase())
    tokens.push({ kind: isKeyword ? 'keyword' : kind === 'comment' ? 'other' : kind, text })
  }
  return tokens
}

const KINDS = ['string', 'number', 'comparator', 'identifier', 'list', 'other', 'comment'] as const

/**
 * Reads the list of an IN, with the quoting of Python's literals as MLflow does.
 * @returns The strings; `mixed` when something else stands among them; `undefined` when it is no list at all.
 */
export function readList(text: string): readonly string[] | 'mixed' | undefined {
  const inner = text.slice(1, -1).trimEnd()
  const values: string[] = []
  let mixed = false
  const item =
    /\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|(-?[\d.]+(?:[eE][+-]?\d+)?|None|True|False))\s*(?:,|$)/suy
  while (item.lastIndex < inner.length) {
    const found = item.exec(inner)
    if (!found) return undefined
    const quoted = found[1] ?? found[2]
    if (quoted === undefined) mixed = true
    else values.push(unescaped(quoted))
  }
  return mixed ? 'mixed' : values
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

const unescaped = (text: string) => text.replace(/\\(.)/gsu, (whole, char: string) => ESCAPES[char] ?? whole)

/** Without its quotes or back-ticks, as MLflow takes them off: nothing inside is unescaped. */
export const unquote = (text: string): string => (isQuoted(text) ? text.slice(1, -1) : text)

const isQuoted = (text: string) =>
  text.length >= 2 && [`'`, `"`, '`'].some((quote) => text.startsWith(quote) && text.endsWith(quote))
