/**
 * A Jinja text as it was read. Every node keeps the very source of its tags, so that it can be printed again.
 * @module
 */

export type Expression =
  | {
      readonly kind: 'literal'
      readonly value: string | number | boolean | null
      /** A float without a fraction, which Python prints with one. */
      readonly isWholeFloat: boolean
    }
  | { readonly kind: 'name'; readonly name: string }
  | {
      readonly kind: 'field'
      readonly of: Expression
      readonly key: Expression
      /** `a.b`, where Python looks for a method first; `a['b']` finds the entry first. */
      readonly isDotted: boolean
    }
  | { readonly kind: 'not'; readonly of: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: 'compare'
      readonly first: Expression
      /** `a < b <= c` is both comparisons, as in Python. */
      readonly rest: readonly { readonly operator: Operator; readonly right: Expression }[]
    }
  | { readonly kind: 'is'; readonly of: Expression; readonly test: 'defined' | 'none' }

export type Operator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in'

export interface Branch {
  readonly source: string
  /** Absent for `{% else %}`. */
  readonly test?: Expression
  readonly body: readonly Node[]
}

export type Node =
  | { readonly kind: 'text'; readonly source: string; readonly text: string }
  | { readonly kind: 'comment'; readonly source: string }
  | { readonly kind: 'output'; readonly source: string; readonly value: Expression }
  | { readonly kind: 'if'; readonly branches: readonly Branch[]; readonly end: string }
  | {
      readonly kind: 'for'
      readonly source: string
      readonly variable: string
      readonly list: Expression
      readonly body: readonly Node[]
      /** `{% else %}`: for a list without items. */
      readonly otherwise?: Branch
      readonly end: string
    }

/** The text that was read, byte for byte. */
export function printNodes(nodes: readonly Node[]): string {
  return nodes.map(printNode).join('')
}

function printNode(node: Node): string {
  if (node.kind === 'if') return node.branches.map(printBranch).join('') + node.end
  if (node.kind === 'for') {
    return (
      node.source + printNodes(node.body) + (node.otherwise ? printBranch(node.otherwise) : '') + node.end
    )
  }
  return node.source
}

const printBranch = ({ source, body }: Branch): string => source + printNodes(body)
