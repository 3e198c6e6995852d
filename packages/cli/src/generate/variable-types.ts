import type { VariableUse } from '@promptkeep/client/protocol'
import { propertyKey } from './source-text.ts'

/** What a value of each kind may be. The names are those of `@promptkeep/client`. */
const TYPES: Readonly<Record<Exclude<VariableUse['kind'], 'list'>, string>> = {
  value: 'TextValue',
  messages: 'readonly ChatMessage[]',
  condition: 'unknown',
  any: 'unknown',
}

/** One name: as it is used itself, and its fields. */
interface Node {
  use?: VariableUse
  readonly fields: Map<string, Node>
}

/** The type of the values that a template is filled with. */
export const variablesType = (uses: readonly VariableUse[], indent: string): string =>
  uses.length === 0 ? 'NoVariables' : fieldsType(nest(uses).fields, indent)

/** Whether any variable, also in a list, is of this kind. */
export const isUsed = (uses: readonly VariableUse[], kind: VariableUse['kind']): boolean =>
  uses.some((use) => use.kind === kind || isUsed(use.items ?? [], kind))

/**
 * `user.name` becomes a field of `user`, unless `user` is written by itself as well: then it is a key of its own, as
 * `format` reads it. `''` is the whole of what is nested.
 */
function nest(uses: readonly VariableUse[]): Node {
  const written = new Set(uses.flatMap(({ name, kind }) => (kind === 'value' ? [name] : [])))
  const root: Node = { fields: new Map() }
  for (const use of uses) {
    const parts = use.name === '' ? [] : use.name.split('.')
    const isOwnKey = parts.some((_, i) => i > 0 && written.has(parts.slice(0, i).join('.')))
    let at = root
    for (const part of isOwnKey ? [use.name] : parts) {
      const next = at.fields.get(part) ?? { fields: new Map() }
      at.fields.set(part, next)
      at = next
    }
    at.use = use
  }
  return root
}

/** What only has fields is required, as they are. */
const isRequired = ({ use }: Node): boolean => use?.required ?? true

function nodeType({ use, fields }: Node, indent: string): string {
  if (fields.size > 0)
    return use?.kind === 'value' || use?.kind === 'list' ? 'unknown' : fieldsType(fields, indent)
  if (use === undefined) return 'unknown'
  if (use.kind !== 'list') return TYPES[use.kind]
  const item = nodeType(nest(use.items ?? []), indent)
  return `readonly ${/^\w+$/.test(item) || /^\{[^{}]*\}$/.test(item) ? item : `(${item})`}[]`
}

function fieldsType(fields: ReadonlyMap<string, Node>, indent: string): string {
  const deeper = `${indent}  `
  const lines = [...fields].map(([name, node]) => {
    const type = nodeType(node, deeper)
    return isRequired(node)
      ? `${deeper}readonly ${propertyKey(name)}: ${type}\n`
      : `${deeper}readonly ${propertyKey(name)}?: ${type === 'unknown' ? type : `${type} | undefined`}\n`
  })
  return `{\n${lines.join('')}${indent}}`
}
