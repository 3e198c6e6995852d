import type { Expression, Node } from './jinja-ast.ts'

/** How a text uses a value, the strongest first. */
export type UseKind = 'messages' | 'list' | 'value' | 'any' | 'condition'

export const USE_KINDS: readonly UseKind[] = ['messages', 'list', 'value', 'any', 'condition']

/** One use of a path; `users[].name` is the field of each item. */
export interface PathUse {
  readonly path: string
  readonly kind: UseKind
  /** False where it is only tested, or written only where a test found it. */
  readonly isNeeded: boolean
}

type Guards = ReadonlySet<string>
type Scope = ReadonlyMap<string, string | undefined>

const NO_GUARDS: Guards = new Set()

/**
 * Every use of a variable in a text, in order. A path that needs its parent (`user.name` without a test of `user`) is
 * preceded by a use of the parent of kind `condition`, unless that is never used by itself.
 */
export function usesOfNodes(nodes: readonly Node[]): PathUse[] {
  const uses: PathUse[] = []
  const neededParents = new Set<string>()

  function note(path: string, kind: UseKind, isNeeded: boolean, guards: Guards): void {
    uses.push({ path, kind, isNeeded: isNeeded && !guards.has(path) })
    const last = path.lastIndexOf('[]')
    for (let dot = path.indexOf('.', Math.max(last, 0)); dot !== -1; dot = path.indexOf('.', dot + 1)) {
      const parent = path.slice(0, dot)
      if (!guards.has(parent)) neededParents.add(parent)
    }
  }

  function walk(
    expression: Expression,
    kind: UseKind,
    isNeeded: boolean,
    guards: Guards,
    scope: Scope,
  ): void {
    switch (expression.kind) {
      case 'literal':
        return
      case 'name':
      case 'field': {
        const path = pathOf(expression, scope)
        if (path !== undefined) note(path, kind, isNeeded, guards)
        else if (expression.kind === 'field') {
          walk(expression.of, 'any', true, guards, scope)
          walk(expression.key, 'value', true, guards, scope)
        }
        return
      }
      case 'not':
      case 'is':
        walk(expression.of, 'condition', false, guards, scope)
        return
      case 'and':
      case 'or': {
        const isOr = expression.kind === 'or'
        walk(expression.left, kind, isNeeded && !isOr, guards, scope)
        const found = guardsOf(expression.left, !isOr, scope)
        walk(expression.right, kind, isNeeded, union(guards, found), scope)
        return
      }
      case 'compare': {
        const isOrder = expression.rest.some(({ operator }) => /[<>]/.test(operator))
        for (const side of [expression.first, ...expression.rest.map(({ right }) => right)])
          walk(side, 'condition', isOrder, guards, scope)
      }
    }
  }

  function walkAll(nodes: readonly Node[], guards: Guards, scope: Scope): void {
    for (const node of nodes) {
      if (node.kind === 'output') walk(node.value, 'value', true, guards, scope)
      else if (node.kind === 'if') {
        let before = guards
        for (const { test, body } of node.branches) {
          if (test) walk(test, 'condition', false, before, scope)
          walkAll(body, test ? union(before, guardsOf(test, true, scope)) : before, scope)
          if (test) before = union(before, guardsOf(test, false, scope))
        }
      } else if (node.kind === 'for') {
        walk(node.list, 'list', true, guards, scope)
        const list = pathOf(node.list, scope)
        const inner = new Map(scope).set(node.variable, list === undefined ? undefined : `${list}[]`)
        // A test of an item's field says nothing about the next item's.
        const item = `${list}[]`
        const kept = new Set([...guards].filter((path) => !path.startsWith(item)))
        walkAll(node.body, kept, inner.set('loop', undefined))
        walkAll(node.otherwise?.body ?? [], guards, scope)
      }
    }
  }

  walkAll(nodes, NO_GUARDS, new Map())
  return uses.map((use) => (neededParents.has(use.path) ? { ...use, isNeeded: true } : use))
}

/** `undefined` for what has no fixed path: the loop's own fields, `xs[0]`, items of a list that has none. */
function pathOf(expression: Expression, scope: Scope): string | undefined {
  if (expression.kind === 'name')
    return scope.has(expression.name) ? scope.get(expression.name) : expression.name
  if (expression.kind !== 'field' || expression.key.kind !== 'literal') return undefined
  const { value } = expression.key
  const of = pathOf(expression.of, scope)
  return of !== undefined && typeof value === 'string' && /^\w+$/.test(value) ? `${of}.${value}` : undefined
}

/** The paths that surely have a value where a test came out as `isTrue`. */
function guardsOf(test: Expression, isTrue: boolean, scope: Scope): Guards {
  switch (test.kind) {
    case 'name':
    case 'field': {
      const path = isTrue ? pathOf(test, scope) : undefined
      return path === undefined ? NO_GUARDS : new Set([path])
    }
    case 'not':
      return guardsOf(test.of, !isTrue, scope)
    case 'and':
    case 'or': {
      const sides = [guardsOf(test.left, isTrue, scope), guardsOf(test.right, isTrue, scope)] as const
      return isTrue === (test.kind === 'and') ? union(...sides) : intersection(...sides)
    }
    case 'is':
      return test.test === 'defined' ? guardsOf(test.of, isTrue, scope) : NO_GUARDS
    case 'compare': {
      // What equals a literal was given.
      const [only, more] = test.rest
      if (more || only?.right.kind !== 'literal') return NO_GUARDS
      return only.operator === (isTrue ? '==' : '!=') ? guardsOf(test.first, true, scope) : NO_GUARDS
    }
    case 'literal':
      return NO_GUARDS
  }
}

const union = (a: Guards, b: Guards): Guards => (b.size === 0 ? a : new Set([...a, ...b]))
const intersection = (a: Guards, b: Guards): Guards => new Set([...a].filter((path) => b.has(path)))
