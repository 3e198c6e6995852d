/**
 * Templates by themselves, without a registry: `@promptkeep/client/templates`.
 * @module
 */
import { type Node, printNodes } from './jinja-ast.ts'
import { parseJinja } from './jinja-parse.ts'
import type { ChatMessage, Template } from './prompt.ts'
import { usesJinja, type Values } from './template.ts'
import { compileFully } from './template-compile.ts'
import { VARIABLE } from './template-texts.ts'

export { TemplateError } from './jinja-lex.ts'
export type { CompiledTemplate, Values } from './template.ts'
export { compileAny, usesJinja } from './template.ts'
export { compileFully as compileTemplate } from './template-compile.ts'
export { checkRenderable, type Finding, lintTemplate } from './template-lint.ts'
export { isEmptyTemplate } from './template-texts.ts'
export { type VariableUse, variablesOf, variableUsesOf } from './template-uses.ts'

/**
 * Fills the variables in one pass: a value is never expanded again, and `$&` means nothing in it.
 * Values are strings, numbers, bigints or booleans, written as Python writes them (`True`); a dotted
 * `{{ user.name }}` is the key `user.name` (as in MLflow), or the path `user` → `name`; in Jinja it is the path.
 * A message placeholder takes a list of chat messages.
 *
 * @returns A string for a text, new messages for chat messages: everything but their texts is kept as it is.
 * @throws {RegistryError} `MISSING_VARIABLES` naming every variable without a value (`null` is none);
 *   `INVALID_INPUT` for values that the template does not use, values that are no text, and for Jinja that is not
 *   supported.
 */
export function formatTemplate(template: string, values?: Values): string
export function formatTemplate(template: readonly ChatMessage[], values?: Values): ChatMessage[]
export function formatTemplate(template: Template, values?: Values): string | ChatMessage[]
export function formatTemplate(template: Template, values?: Values): string | ChatMessage[] {
  return compileFully(template).format(values)
}

/** A text that was read: which grammar it is in, and what it consists of. */
export type ParsedTemplate =
  | { readonly grammar: 'plain'; readonly parts: readonly PlainPart[] }
  | { readonly grammar: 'jinja'; readonly nodes: readonly Node[] }

/** A literal text, or a variable as it is written. */
export type PlainPart =
  | { readonly kind: 'text'; readonly source: string }
  | { readonly kind: 'variable'; readonly source: string; readonly name: string }

/** @throws {TemplateError} for Jinja that is wrong or not supported */
export function parseTemplate(text: string): ParsedTemplate {
  if (usesJinja(text)) return { grammar: 'jinja', nodes: parseJinja(text) }
  const parts: PlainPart[] = []
  let at = 0
  for (const { 0: source, 1: name, index } of text.matchAll(VARIABLE)) {
    if (index > at) parts.push({ kind: 'text', source: text.slice(at, index) })
    parts.push({ kind: 'variable', source, name: name as string })
    at = index + source.length
  }
  if (at < text.length) parts.push({ kind: 'text', source: text.slice(at) })
  return { grammar: 'plain', parts }
}

/** The text that was read, byte for byte. */
export function printTemplate(parsed: ParsedTemplate): string {
  return parsed.grammar === 'jinja'
    ? printNodes(parsed.nodes)
    : parsed.parts.map(({ source }) => source).join('')
}
