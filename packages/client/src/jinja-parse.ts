import type { Branch, Expression, Node } from './jinja-ast.ts'
import { type Cursor, checkName, cursorOf, describe, expectEnd, parseExpression } from './jinja-expression.ts'
import { ALLOWED, type Fail, lex, type Piece, TemplateError } from './jinja-lex.ts'

/** Python allows 20 nested loops and 98 nested conditions. */
const MAX_BLOCKS = 16
const MAX_BRANCHES = 500

type Statement = Extract<Piece, { kind: 'output' | 'statement' }>

/**
 * Reads a text as Jinja.
 * @param field - For messages, see `TemplateText`.
 * @throws {TemplateError} for what is no Jinja, and for what is, and is not supported here
 */
export function parseJinja(text: string, field = ''): readonly Node[] {
  const fail: Fail = (reason, at) => {
    throw new TemplateError(reason, text, at, field)
  }
  const pieces = lex(text, fail)
  let at = 0
  let blocks = 0

  /** Up to a statement that is one of `ends`, which is taken and returned, or to the end of the text. */
  function parseUntil(ends: readonly string[], isInLoop: boolean): Until {
    const nodes: Node[] = []
    for (let piece = pieces[at++]; piece; piece = pieces[at++]) {
      if (piece.kind === 'text' || piece.kind === 'comment') nodes.push(piece)
      else {
        const cursor = cursorOf(piece.tokens, fail)
        if (piece.kind === 'output') {
          const value = parseExpression(cursor, isInLoop)
          expectEnd(cursor)
          checkOutput(value, piece)
          nodes.push({ kind: 'output', source: piece.source, value })
        } else {
          const word = cursor.next()
          const keyword = word.kind === 'name' ? word.value : ''
          if (ends.includes(keyword)) return { nodes, end: { keyword, cursor, source: piece.source } }
          if (++blocks > MAX_BLOCKS)
            fail(`more than ${MAX_BLOCKS} {% if %} and {% for %} inside each other`, piece.at)
          if (keyword === 'if') nodes.push(parseIf(piece, cursor, isInLoop))
          else if (keyword === 'for') nodes.push(parseFor(piece, cursor, isInLoop))
          else refuseStatement(keyword === '' ? describe(word) : keyword, piece.at)
          blocks--
        }
      }
    }
    return { nodes }
  }

  function parseIf(start: Statement, first: Cursor, isInLoop: boolean): Node {
    const branches: Branch[] = []
    let source = start.source
    let test: Expression | undefined = parseExpression(first, isInLoop)
    expectEnd(first)
    while (true) {
      const ends = test ? ['elif', 'else', 'endif'] : ['endif']
      const { nodes: body, end } = parseUntil(ends, isInLoop)
      branches.push({ source, ...(test && { test }), body })
      if (!end) return fail('{% if %} is never closed with {% endif %}', start.at)
      if (branches.length > MAX_BRANCHES) fail(`more than ${MAX_BRANCHES} branches`, start.at)
      test = end.keyword === 'elif' ? parseExpression(end.cursor, isInLoop) : undefined
      if (end.keyword === 'else' && end.cursor.peek().value === 'if')
        fail('{% else if %} is written {% elif %}', end.cursor.peek().at)
      expectEnd(end.cursor)
      if (end.keyword === 'endif') return { kind: 'if', branches, end: end.source }
      source = end.source
    }
  }

  function parseFor(start: Statement, cursor: Cursor, isInLoop: boolean): Node {
    const { kind, value: variable, at } = cursor.next()
    if (kind !== 'name') fail('{% for %} must be followed by a name', at)
    checkName(cursor, variable, at)
    if (variable === 'loop') fail('"loop" is the loop itself, not its variable', at)
    if (cursor.peek().value === ',') fail(`a loop has one variable; ${ALLOWED}`, cursor.peek().at)
    if (!cursor.skip('in')) fail('{% for %} must be written {% for name in list %}', cursor.peek().at)
    const listAt = cursor.peek().at
    const list = parseExpression(cursor, isInLoop)
    if (!isPath(list)) fail('{% for %} loops over a variable that is a list', listAt)
    const after = cursor.peek()
    if (after.value === 'if' || after.value === 'recursive')
      fail(`loops with "${after.value}" are not supported; ${ALLOWED}`, after.at)
    expectEnd(cursor)
    const { nodes: body, end: first } = parseUntil(['else', 'endfor'], true)
    if (!first) return fail('{% for %} is never closed with {% endfor %}', start.at)
    expectEnd(first.cursor)
    const loop = { kind: 'for' as const, source: start.source, variable, list, body }
    if (first.keyword === 'endfor') return { ...loop, end: first.source }
    const { nodes, end } = parseUntil(['endfor'], isInLoop)
    if (!end) return fail('{% for %} is never closed with {% endfor %}', start.at)
    expectEnd(end.cursor)
    return { ...loop, otherwise: { source: first.source, body: nodes }, end: end.source }
  }

  /** What Python would print otherwise than JavaScript can tell, or what nobody means. */
  function checkOutput(value: Expression, { at }: Statement): void {
    if (value.kind === 'and' || value.kind === 'or') {
      checkOutput(value.left, { at } as Statement)
      checkOutput(value.right, { at } as Statement)
    }
    if (value.kind !== 'literal') return
    if (value.value === null) fail('none cannot be written', at)
    if (value.isWholeFloat)
      fail('a float without a fraction cannot be written; write it as text, as in {{ "1.0" }}', at)
  }

  function refuseStatement(name: string, at: number): never {
    const isEnd = /^(elif|else|endif|endfor)$/.test(name)
    if (isEnd) fail(`{% ${name} %} closes nothing that is open here`, at)
    if (name === 'include')
      fail('{% include %} is not rendered: it is expanded where a version is registered', at)
    fail(`{% ${name} %} is not supported; ${ALLOWED}`, at)
  }

  return parseUntil([], false).nodes
}

interface Until {
  readonly nodes: readonly Node[]
  readonly end?: { readonly keyword: string; readonly cursor: Cursor; readonly source: string }
}

const isPath = ({ kind }: Expression): boolean => kind === 'name' || kind === 'field' || kind === 'or'
