import { parseJinja } from './jinja-parse.ts'
import { type PathUse, USE_KINDS, type UseKind, usesOfNodes } from './jinja-uses.ts'
import type { Template } from './prompt.ts'
import { compileText } from './template.ts'
import { textsOf, usesJinja } from './template-texts.ts'

/** What a caller gives for one variable, as far as the template tells. */
export interface VariableUse {
  /**
   * `user.name` is the field of an object. Of items: the field, or '' for the item itself.
   * An object that is not listed itself is required.
   */
  readonly name: string
  /**
   * Whether it has to be given; of a field: where its object is. False when it is only tested, or written only where a
   * test of it says that it is there (`{% if name %}{{ name }}{% endif %}`).
   */
  readonly required: boolean
  /**
   * `value`: written, so a string, number or boolean. `list`: looped over, see `items`. `messages`: chat messages.
   * `condition`: only tested or compared. `any`: read by an index, as `xs[0]`.
   */
  readonly kind: UseKind
  /** How the items of a list are used; absent for what is no list. */
  readonly items?: readonly VariableUse[]
}

/**
 * Variables with what is known of them, in order of first appearance.
 * @throws {InvalidInput} for a template that cannot be rendered
 */
export function variableUsesOf(template: Template): VariableUse[] {
  const isJinja = usesJinja(template)
  const uses = textsOf(template).flatMap(({ text, field, isPlaceholder }): PathUse[] => {
    if (isJinja && !isPlaceholder) return usesOfNodes(parseJinja(text, field))
    const kind = isPlaceholder ? 'messages' : 'value'
    return compileText(text).variables.map((path) => ({ path, kind, isNeeded: true }))
  })
  return merge(uses)
}

/**
 * Names of the variables in order of first appearance; of a chat prompt of its texts, not of its tool calls.
 * Where Jinja cannot be read: the plain `{{ name }}` in it.
 */
export function variablesOf(template: Template): string[] {
  try {
    return variableUsesOf(template).map(({ name }) => name)
  } catch {
    return [...new Set(textsOf(template).flatMap(({ text }) => compileText(text).variables))]
  }
}

function merge(uses: readonly PathUse[]): VariableUse[] {
  const byName = new Map<string, { kind: UseKind; required: boolean; items: PathUse[] }>()
  for (const { path, kind, isNeeded } of uses) {
    const [name, ...inner] = path.split('[]')
    const found = byName.get(name as string) ?? { kind: 'condition', required: false, items: [] }
    byName.set(name as string, found)
    if (inner.length > 0) {
      found.items.push({ path: inner.join('[]').replace(/^\./, ''), kind, isNeeded })
    } else {
      if (USE_KINDS.indexOf(kind) < USE_KINDS.indexOf(found.kind)) found.kind = kind
      found.required ||= isNeeded
    }
  }
  return Array.from(byName, ([name, { kind, required, items }]) => ({
    name,
    required,
    kind,
    ...(kind === 'list' && { items: merge(items) }),
  }))
}
