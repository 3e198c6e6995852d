import { InvalidInput, RegistryError } from './errors.ts'
import type { ChatMessage, JsonObject, Template } from './prompt.ts'

/** MLflow's grammar: ASCII identifiers, joined by dots. The braces of JSON in a text never match it. */
const VARIABLE = /\{\{\s*([a-zA-Z_]\w*(?:\.[a-zA-Z_]\w*)*)\s*\}\}/g

/** MLflow's Python client renders a text that holds this as Jinja; we do not know that syntax. */
const JINJA = '{%'

export type Values = Readonly<Record<string, unknown>>

/** Variables in order of first appearance. Of a chat prompt: of its texts, not of its tool calls. */
export function variablesOf(template: Template): string[] {
  const names = textsOf(template).flatMap((text) =>
    Array.from(text.matchAll(VARIABLE), (m) => m[1] as string),
  )
  return [...new Set(names)]
}

/** Whether MLflow's Python client would render this as Jinja, which `formatTemplate` refuses. */
export const usesJinja = (template: Template): boolean => textsOf(template).some((t) => t.includes(JINJA))

/** Nothing that a model could read: such a version counts as absent. */
export const isEmptyTemplate = (template: Template): boolean =>
  typeof template === 'string'
    ? template.trim() === ''
    : template.every((message) => !message.tool_calls?.length && isEmptyContent(message.content))

/** A template that was read once, to be filled many times. */
export interface CompiledTemplate {
  readonly variables: readonly string[]
  /** As {@link formatTemplate}. */
  format(values?: Values): string | ChatMessage[]
}

export function compileTemplate(template: Template): CompiledTemplate {
  const variables = variablesOf(template)
  const isJinja = usesJinja(template)
  const known = new Set(variables.flatMap((name) => [name, name.slice(0, `${name}.`.indexOf('.'))]))
  // Splitting by a pattern with one group leaves the text between variables, and their names in between.
  const parts = new Map(textsOf(template).map((text) => [text, text.split(VARIABLE)]))

  function fill(text: string, values: ReadonlyMap<string, string>): string {
    const filled = parts.get(text)?.map((part, i) => (i % 2 === 0 ? part : values.get(part)))
    return filled?.join('') ?? text
  }

  return {
    variables,
    format(values = {}) {
      if (typeof values !== 'object' || values === null || Array.isArray(values)) {
        throw new InvalidInput('values must be an object of variable names and their values')
      }
      if (isJinja) {
        throw new InvalidInput(
          `template uses Jinja (${JINJA} … %}), which this client does not render; use {{ name }} only`,
        )
      }
      refuseUnknown(
        Object.keys(values).filter((key) => !known.has(key)),
        variables,
      )
      const texts = new Map<string, string>()
      const missing: string[] = []
      for (const name of variables) {
        const value = lookUp(values, name)
        if (value === undefined || value === null) missing.push(name)
        else texts.set(name, toText(name, value))
      }
      if (missing.length > 0) {
        throw new RegistryError(
          'MISSING_VARIABLES',
          `missing ${plural(missing, 'variable')} ${quoted(missing)}`,
        )
      }
      if (typeof template === 'string') return fill(template, texts)
      return template.map((message) => renderMessage(message, (text) => fill(text, texts)))
    },
  }
}

/**
 * Fills the variables in one pass: a value is never expanded again, and `$&` means nothing in it.
 * Values are strings, numbers, bigints or booleans; a dotted `{{ user.name }}` is the key `user.name` (as in
 * MLflow), or the path `user` → `name`.
 *
 * @returns A string for a text, new messages for chat messages: everything but their texts is kept as it is.
 * @throws {RegistryError} `MISSING_VARIABLES` naming every variable without a value (`null` is none);
 *   `INVALID_INPUT` for values that the template does not use, values that are no text, and for `{%`.
 */
export function formatTemplate(template: string, values?: Values): string
export function formatTemplate(template: readonly ChatMessage[], values?: Values): ChatMessage[]
export function formatTemplate(template: Template, values?: Values): string | ChatMessage[]
export function formatTemplate(template: Template, values?: Values): string | ChatMessage[] {
  return compileTemplate(template).format(values)
}

export interface Finding {
  /** `jinja`: never rendered here; `braces`: `{{ … }}` that is no variable; the others compare with `declared`. */
  readonly kind: 'jinja' | 'braces' | 'undeclared' | 'unused'
  readonly message: string
}

/** What an author should know before publishing. An empty list is a clean template. */
export function lintTemplate(template: Template, declared?: readonly string[]): Finding[] {
  const findings: Finding[] = []
  const add = (kind: Finding['kind'], message: string) => findings.push({ kind, message })
  if (usesJinja(template))
    add('jinja', `${JINJA} makes this a Jinja template, which is refused when it is rendered`)
  for (const text of textsOf(template)) {
    for (const [odd] of text.replace(VARIABLE, '').matchAll(/\{\{[^{}]*\}\}/g)) {
      add('braces', `${odd} is not a variable name, so it is sent to the model as it stands`)
    }
  }
  if (declared !== undefined) {
    const used = variablesOf(template)
    for (const name of used)
      if (!declared.includes(name)) add('undeclared', `variable ${name} is not declared`)
    for (const name of declared)
      if (!used.includes(name)) add('unused', `variable ${name} is declared and not used`)
  }
  return findings
}

function textsOf(template: Template): string[] {
  if (typeof template === 'string') return [template]
  return template.flatMap(({ content }) =>
    typeof content === 'string' ? [content] : (content ?? []).filter(isTextPart).map((part) => part.text),
  )
}

function renderMessage(message: ChatMessage, render: (text: string) => string): ChatMessage {
  const copy: ChatMessage = structuredClone(message)
  const { content } = copy
  if (typeof content === 'string') return { ...copy, content: render(content) }
  if (content == null) return copy
  return { ...copy, content: content.map((p) => (isTextPart(p) ? { ...p, text: render(p.text) } : p)) }
}

const isTextPart = (part: JsonObject): part is JsonObject & { readonly text: string } =>
  part.type === 'text' && typeof part.text === 'string'

const isEmptyContent = (content: ChatMessage['content']): boolean =>
  typeof content === 'string'
    ? content.trim() === ''
    : (content ?? []).every((part) => isTextPart(part) && part.text.trim() === '')

/** Own properties only: `{{ constructor }}` is a variable like any other. */
function lookUp(values: Values, name: string): unknown {
  if (Object.hasOwn(values, name)) return values[name]
  let at: unknown = values
  for (const key of name.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    at = (at as Record<string, unknown>)[key]
  }
  return at
}

function refuseUnknown(unknown: readonly string[], variables: readonly string[]): void {
  if (unknown.length === 0) return
  const allowed = variables.length > 0 ? `its variables are ${quoted(variables)}` : 'it has no variables'
  throw new InvalidInput(
    `unknown ${plural(unknown, 'variable')} ${quoted(unknown)} for this template: ${allowed}`,
  )
}

function toText(name: string, value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value)
  const given = Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`
  throw new InvalidInput(`variable "${name}" must be a string, number or boolean; got ${given}`)
}

const quoted = (names: readonly string[]) => names.map((name) => `"${name}"`).join(', ')
const plural = (items: readonly string[], noun: string) => (items.length === 1 ? noun : `${noun}s`)
