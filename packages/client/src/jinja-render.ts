import { InvalidInput } from './errors.ts'
import type { Branch, Expression, Node } from './jinja-ast.ts'
import { absent, compare, isAbsent, isTrue, kindOf, readField } from './jinja-values.ts'
import { toText, type Values } from './template.ts'

/** What the names of a loop say, and how its items are called in messages; the innermost loop first. */
interface Scope {
  readonly variable: string
  readonly item: unknown
  /** `users[0]` */
  readonly label: string
  readonly loop: Readonly<Record<string, unknown>>
  readonly outer: Scope | undefined
}

/** Names that are there in Jinja without being given: where one is missing, Python and we would not agree. */
const GLOBALS = new Set(['range', 'dict', 'lipsum', 'cycler', 'joiner', 'namespace'])

/**
 * Fills a text that was read. A value is written as it is: what it holds is never read as a template.
 * @param missing - Gets the name of every variable that is needed and has no value; it is left empty.
 * @throws {InvalidInput} for values that cannot be written, looped over or compared
 */
export function renderNodes(nodes: readonly Node[], values: Values, missing: string[]): string {
  function renderAll(nodes: readonly Node[], scope: Scope | undefined): string {
    let text = ''
    for (const node of nodes) text += renderNode(node, scope)
    return text
  }

  function renderNode(node: Node, scope: Scope | undefined): string {
    switch (node.kind) {
      case 'text':
        return node.text
      case 'comment':
        return ''
      case 'output':
        return write(node.value, scope)
      case 'if':
        return renderAll(node.branches.find((branch) => isTaken(branch, scope))?.body ?? [], scope)
      case 'for':
        return renderLoop(node, scope)
    }
  }

  const isTaken = ({ test }: Branch, scope: Scope | undefined): boolean =>
    test === undefined || isTrue(evaluate(test, scope))

  function write(expression: Expression, scope: Scope | undefined): string {
    const value = evaluate(expression, scope)
    if (typeof value === 'string') return value
    if (isAbsent(value)) return need(value.name)
    const name = nameOf(expression, scope)
    return value === null ? need(name) : toText(name, value)
  }

  function need(name: string): '' {
    missing.push(name)
    return ''
  }

  function renderLoop(node: Extract<Node, { kind: 'for' }>, scope: Scope | undefined): string {
    const list = evaluate(node.list, scope)
    const name = isAbsent(list) ? list.name : nameOf(node.list, scope)
    if (isAbsent(list) || list === null) return need(name)
    if (!Array.isArray(list)) throw new InvalidInput(`variable "${name}" must be a list; got ${kindOf(list)}`)
    const { length } = list
    if (length === 0) return renderAll(node.otherwise?.body ?? [], scope)
    let text = ''
    for (const [i, item] of list.entries()) {
      const loop = { index: i + 1, index0: i, first: i === 0, last: i === length - 1, length }
      text += renderAll(node.body, {
        variable: node.variable,
        item,
        label: `${name}[${i}]`,
        loop,
        outer: scope,
      })
    }
    return text
  }

  function evaluate(expression: Expression, scope: Scope | undefined): unknown {
    switch (expression.kind) {
      case 'literal':
        return expression.value
      case 'name':
        return variable(expression.name, scope)
      case 'field':
        return field(expression, scope)
      case 'not':
        return !isTrue(evaluate(expression.of, scope))
      case 'and':
      case 'or': {
        const left = evaluate(expression.left, scope)
        return isTrue(left) === (expression.kind === 'or') ? left : evaluate(expression.right, scope)
      }
      case 'is': {
        const value = evaluate(expression.of, scope)
        return expression.test === 'none' ? value === null : !isAbsent(value)
      }
      case 'compare': {
        let left = evaluate(expression.first, scope)
        for (const { operator, right } of expression.rest) {
          const next = evaluate(right, scope)
          if (!holdsOrNeeds(left, operator, next)) return false
          left = next
        }
        return true
      }
    }
  }

  /** Nothing can be before or after what was not given: Python raises. */
  function holdsOrNeeds(left: unknown, operator: Parameters<typeof compare>[1], right: unknown): boolean {
    const isOrder = operator.startsWith('<') || operator.startsWith('>')
    const needed =
      (isOrder && [left, right].find(isAbsent)) || (typeof right === 'string' && /in/.test(operator) && left)
    if (!isAbsent(needed)) return compare(left, operator, right)
    need(needed.name)
    return false
  }

  function variable(name: string, scope: Scope | undefined): unknown {
    for (let at = scope; at; at = at.outer) {
      if (name === 'loop') return at.loop
      if (name === at.variable) return at.item === undefined ? absent(at.label) : at.item
    }
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    if (value !== undefined) return value
    if (GLOBALS.has(name)) need(name)
    return absent(name)
  }

  function field(expression: Extract<Expression, { kind: 'field' }>, scope: Scope | undefined): unknown {
    const of = evaluate(expression.of, scope)
    if (isAbsent(of)) {
      const name = nameOf(expression, scope)
      need(name)
      return absent(name)
    }
    const key = evaluate(expression.key, scope)
    if (!isAbsent(key)) return readField(of, key, expression.isDotted, () => nameOf(expression, scope))
    need(key.name)
    return absent(nameOf(expression, scope))
  }

  return renderAll(nodes, undefined)
}

/** As the template spells it, with the items of loops by their numbers: `users[0].name`. */
function nameOf(expression: Expression, scope: Scope | undefined): string {
  if (expression.kind === 'name') {
    for (let at = scope; at; at = at.outer) if (expression.name === at.variable) return at.label
    return expression.name
  }
  if (expression.kind === 'field') {
    const { key } = expression
    const of = nameOf(expression.of, scope)
    if (key.kind !== 'literal') return `${of}[${nameOf(key, scope)}]`
    return typeof key.value === 'string' && /^\w+$/.test(key.value)
      ? `${of}.${key.value}`
      : `${of}[${key.value}]`
  }
  if (expression.kind === 'and' || expression.kind === 'or')
    return `${nameOf(expression.left, scope)} ${expression.kind} ${nameOf(expression.right, scope)}`
  return expression.kind === 'literal' ? JSON.stringify(expression.value) : 'expression'
}
