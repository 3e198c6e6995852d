import { InvalidInput, RegistryError } from './errors.ts'
import type { ChatMessage, Template } from './prompt.ts'
import { isPlaceholder, isTextPart, textsOf, usesJinja, VARIABLE } from './template-texts.ts'

export { isEmptyTemplate, usesJinja } from './template-texts.ts'

export type Values = Readonly<Record<string, unknown>>

/** A template that was read once, to be filled many times. */
export interface CompiledTemplate {
  /** In order of first appearance. */
  readonly variables: readonly string[]
  /**
   * Fills the variables in one pass: a value is never expanded again, and `$&` means nothing in it.
   * @returns A string for a text, new messages for chat messages: everything but their texts is kept as it is.
   * @throws {RegistryError} `MISSING_VARIABLES` naming every variable without a value (`null` is none);
   *   `INVALID_INPUT` for values that the template does not use or that are no text, and for a template that is no
   *   valid one
   */
  format(values?: Values): string | ChatMessage[]
}

/** One text of a template, ready to be filled. */
export interface CompiledText {
  readonly variables: readonly string[]
  /** Top-level keys that values may have on account of this text. */
  readonly keys: readonly string[]
  /** Pushes the names of variables that have no value to `missing`, and leaves them empty. */
  render(values: Values, missing: string[]): string
}

/** Makes a message, or the messages that take its place; `missing` as {@link CompiledText.render}. */
type CompiledMessage = (values: Values, missing: string[]) => ChatMessage | readonly ChatMessage[]

/** What plain `{{ }}` templates do not need, and is loaded where a template does. */
export interface Extras {
  readonly compileText: (text: string, field: string) => CompiledText
  readonly splice: (message: ChatMessage, at: number) => CompiledText & { readonly messages: CompiledMessage }
}

const isPlain = (template: Template): boolean =>
  !usesJinja(template) && (typeof template === 'string' || !template.some(isPlaceholder))

/** For `{{ }}` alone. Jinja and message placeholders need {@link compileAny}: here their `format` refuses. */
export function compileTemplate(template: Template): CompiledTemplate {
  if (isPlain(template)) return assemble(template, compileText)
  const variables = [...new Set(textsOf(template).flatMap(({ text }) => compileText(text).variables))]
  return {
    variables,
    format() {
      throw new InvalidInput('the template uses Jinja or a message placeholder, which compileAny renders')
    },
  }
}

/**
 * Reads any template; what only some need is imported here. A template that cannot be read does not reject: it can be
 * loaded (another client may know it), and its `format` throws the reason.
 */
export async function compileAny(template: Template): Promise<CompiledTemplate> {
  if (isPlain(template)) return assemble(template, compileText)
  return (await import('./template-compile.ts')).compileLeniently(template)
}

/** A text of plain `{{ }}` as its literal parts and, between them, the names of its variables. */
export function compileText(text: string): CompiledText {
  // Splitting by a pattern with one group leaves the names between the parts.
  const parts = text.split(VARIABLE)
  const variables = parts.filter((_, i) => i % 2 === 1)
  return {
    variables,
    keys: variables.flatMap((name) => [name, name.slice(0, `${name}.`.indexOf('.'))]),
    render(values, missing) {
      let text = parts[0] as string
      for (let i = 1; i < parts.length; i += 2) {
        const name = parts[i] as string
        const value = lookUp(values, name)
        if (typeof value === 'string') text += value
        else if (value === undefined || value === null) missing.push(name)
        else text += toText(name, value)
        text += parts[i + 1] as string
      }
      return text
    },
  }
}

export function assemble(
  template: Template,
  compileText: Extras['compileText'],
  splice?: Extras['splice'],
): CompiledTemplate {
  const texts: CompiledText[] = []
  const read = (text: string, field: string): CompiledText['render'] => {
    const compiled = compileText(text, field)
    texts.push(compiled)
    return compiled.render
  }
  const render =
    typeof template === 'string'
      ? read(template, '')
      : joined(template.map((message, i) => compile(message, i)))

  function compile(message: ChatMessage, i: number): CompiledMessage {
    const { content } = message
    if (splice && isPlaceholder(message)) {
      const placeholder = splice(message, i)
      texts.push(placeholder)
      return placeholder.messages
    }
    const field = `messages[${i}].content`
    const isFlat = Object.values(message).every((value) => typeof value === 'string')
    const copy = (): ChatMessage => (isFlat ? { ...message } : structuredClone(message))
    if (typeof content === 'string') {
      const fill = read(content, field)
      if (isFlat) return (values, missing) => ({ ...message, content: fill(values, missing) })
      return (values, missing) => ({ ...copy(), content: fill(values, missing) })
    }
    const fills = (content ?? []).map((part, j) => isTextPart(part) && read(part.text, `${field}[${j}].text`))
    if (!fills.some(Boolean)) return copy
    return (values, missing) => {
      const whole = copy()
      const parts = whole.content as Exclude<ChatMessage['content'], string | null | undefined>
      const filled = parts.map((part, j) => {
        const fill = fills[j]
        return fill ? { ...part, text: fill(values, missing) } : part
      })
      return { ...whole, content: filled }
    }
  }

  const variables = [...new Set(texts.flatMap((text) => text.variables))]
  const keys = new Set(texts.flatMap((text) => text.keys))
  return {
    variables,
    format(values = {}) {
      if (typeof values !== 'object' || values === null || Array.isArray(values)) {
        throw new InvalidInput('values must be an object of variable names and their values')
      }
      for (const key of Object.keys(values)) if (!keys.has(key)) refuseUnknown(values, keys, variables)
      const missing: string[] = []
      const result = render(values, missing)
      if (missing.length > 0) refuseMissing([...new Set(missing)], values)
      return result
    },
  }
}

const joined =
  (messages: readonly CompiledMessage[]) =>
  (values: Values, missing: string[]): ChatMessage[] =>
    messages.flatMap((message) => message(values, missing))

/** Own properties only: `{{ constructor }}` is a variable like any other. */
export function lookUp(values: Values, name: string): unknown {
  if (Object.hasOwn(values, name)) return values[name]
  if (!name.includes('.')) return undefined
  let at: unknown = values
  for (const key of name.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    at = (at as Record<string, unknown>)[key]
  }
  return at
}

/** As Python spells the same JSON value. JSON has one kind of number: what is `1.0` in Python is `1` here. */
export function toText(name: string, value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'bigint') return `${value}`
  if (typeof value === 'number') {
    if (Number.isNaN(value)) return 'nan'
    if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
    if (value === 0 || Math.abs(value) >= 1e-4) return `${value}`
    return value.toExponential().replace(/e-(\d)$/, 'e-0$1')
  }
  const given = Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`
  throw new InvalidInput(`variable "${name}" must be a string, number or boolean; got ${given}`)
}

function refuseMissing(names: readonly string[], values: Values): never {
  const noObjects = new Set(names.map((name) => noObjectOn(name, values)))
  throw new RegistryError(
    'MISSING_VARIABLES',
    `missing ${plural(names, 'variable')} ${quoted(names)}${[...noObjects].join('')}`,
  )
}

/** What was given where `user.name` reads a field, and has none: a text for `user`. */
function noObjectOn(path: string, values: Values): string {
  for (let at = path.indexOf('.'); at > 0; at = path.indexOf('.', at + 1)) {
    const of = lookUp(values, path.slice(0, at)) ?? {}
    if (typeof of === 'object' && !Array.isArray(of)) continue
    const field = path.slice(at + 1).split('.', 1)
    return `; "${path.slice(0, at)}" must be an object with "${field}"`
  }
  return ''
}

function refuseUnknown(values: Values, keys: ReadonlySet<string>, variables: readonly string[]): never {
  const unknown = Object.keys(values).filter((key) => !keys.has(key))
  // Jinja takes `user.name` by its path alone, so its key is `user`.
  const names = [
    ...new Set(variables.map((name) => (keys.has(name) ? name : (name.split('.', 1)[0] ?? name)))),
  ]
  const allowed = names.length > 0 ? `its variables are ${quoted(names)}` : 'it has no variables'
  throw new InvalidInput(
    `unknown ${plural(unknown, 'variable')} ${quoted(unknown)} for this template: ${allowed}`,
  )
}

const quoted = (names: readonly string[]) => names.map((name) => `"${name}"`).join(', ')
const plural = (items: readonly string[], noun: string) => (items.length === 1 ? noun : `${noun}s`)
