import { InvalidInput, isRegistryError } from './errors.ts'
import { type Node, printNodes } from './jinja-ast.ts'
import { lex, placeOf, TemplateError } from './jinja-lex.ts'
import { parseJinja } from './jinja-parse.ts'
import type { Template } from './prompt.ts'
import { suggest } from './suggest.ts'
import { compileFully } from './template-compile.ts'
import { type TemplateText, textsOf, usesJinja, VARIABLE, WHITE_SPACE } from './template-texts.ts'
import { variablesOf, variableUsesOf } from './template-uses.ts'

export interface Finding {
  /**
   * `jinja`: a syntax that is wrong or not supported. `placeholder`: a message placeholder that can never be filled.
   * `braces`: what looks like a variable and is none. `undeclared`, `unused`: differences from the declared names.
   */
  readonly kind: 'jinja' | 'placeholder' | 'braces' | 'undeclared' | 'unused'
  /** An `error` can never be rendered; a `warning` is rendered, probably not as it was meant. */
  readonly severity: 'error' | 'warning'
  /** Without the place. */
  readonly message: string
  /** '' for a text prompt (and for `unused`, which is nowhere); of a chat prompt such as `messages[2].content`. */
  readonly field: string
  /** From 1, in the text of `field`; columns count characters. */
  readonly line: number
  readonly column: number
}

/**
 * What an author should know before publishing, errors first. An empty list is a clean template.
 * @param declared - Names that the callers give; `user` declares all its fields. Without it, names are not compared.
 */
export function lintTemplate(template: Template, declared?: readonly string[]): Finding[] {
  const isJinja = usesJinja(template)
  const texts = textsOf(template)
  const errors = errorsOf(template, MOST_ERRORS)
  const findings = texts.flatMap((text) => lintBraces(text, isJinja && !text.isPlaceholder))
  return [...errors, ...findings, ...(declared ? compareNames(template, texts, declared) : [])]
}

/**
 * For use before registration: a version is for ever.
 * @throws {InvalidInput} that says what cannot be rendered, and where
 */
export async function checkRenderable(template: Template): Promise<void> {
  const [first] = errorsOf(template, 1)
  if (!first) return
  const at = `${first.field === '' ? '' : `${first.field} `}line ${first.line}, column ${first.column}`
  throw new InvalidInput(`template ${at}: ${first.message}`)
}

/** Of one text: who has more, reads a text that is no template. */
const MOST_ERRORS = 20

/** @param most - Of each text: for one, nothing is read again. */
function errorsOf(template: Template, most: number): Finding[] {
  const isJinja = usesJinja(template)
  const errors = textsOf(template).flatMap(({ text, field, isPlaceholder }) =>
    isJinja && !isPlaceholder ? jinjaErrors(text, field, most) : [],
  )
  if (errors.length > 0) return errors
  const place = { kind: 'placeholder', severity: 'error', field: '', line: 1, column: 1 } as const
  try {
    compileFully(template)
  } catch (error) {
    if (!isRegistryError(error)) throw error
    return [{ ...place, message: error.message }]
  }
  return isJinja || typeof template !== 'string' ? conflictsOf(template, place) : []
}

/** What is wrong is taken out, tag by tag, and the rest read again. */
function jinjaErrors(text: string, field: string, most: number): Finding[] {
  const found: { readonly at: number; readonly message: string }[] = []
  let rest = text
  let lacksStatement = false
  for (let turn = 0; turn < MOST_ERRORS && found.length < most; turn++) {
    const error = errorIn(rest)
    if (error === undefined) break
    const { start, end, message } = wrongTag(rest, error)
    // What was opened or closed by a tag that is gone: its own mistake is told.
    if (!(lacksStatement && UNPAIRED.test(message))) found.push({ at: error.at, message })
    lacksStatement ||= rest.startsWith('{%', start)
    const without = rest.slice(0, start) + rest.slice(start, end).replace(/[^\r\n]/g, ' ') + rest.slice(end)
    if (without === rest) break
    rest = without
  }
  return found
    .sort((a, b) => a.at - b.at)
    .map(({ at, message }) => ({ kind: 'jinja', severity: 'error', message, field, ...placeOf(text, at) }))
}

const UNPAIRED = /closes nothing that is open here$|^\{% \w+ %\} is never closed with/

function errorIn(text: string): TemplateError | undefined {
  try {
    parseJinja(text)
    return undefined
  } catch (error) {
    if (error instanceof TemplateError) return error
    throw error
  }
}

/** The tag that an error is in, as far as it can be told. */
function wrongTag(
  text: string,
  { at, reason }: TemplateError,
): { readonly start: number; readonly end: number; readonly message: string } {
  const start = Math.max(...['{{', '{%', '{#'].map((opening) => text.lastIndexOf(opening, at)))
  if (start < 0) return { start: at, end: at + 1, message: reason }
  const closing = text[start + 1] === '{' ? '}}' : text[start + 1] === '%' ? '%}' : '#}'
  const inner = text.slice(start + 2, at)
  if (reason === 'unexpected "}"' && !/[{}]/.test(inner)) {
    const tag = text.slice(start, at + 1).replace(/\s+/g, ' ')
    return { start, end: at + 1, message: `"${tag}" is closed with one brace: write "${closing}"` }
  }
  const end = text.indexOf(closing, Math.max(at, start + 2))
  const next = /\{[{%#]/g
  next.lastIndex = Math.max(at, start + 2)
  const following = next.exec(text)?.index ?? text.length
  // Never closed: what follows is another tag's.
  if (end < 0 || end > following) return { start, end: start + 2, message: reason }
  return { start, end: end + 2, message: reason }
}

/** A variable that stands for messages in one place can't be written in another. */
function conflictsOf(template: Template, place: Omit<Finding, 'message'>): Finding[] {
  if (typeof template === 'string') return []
  const messages = new Set(
    variableUsesOf(template).flatMap(({ name, kind }) => (kind === 'messages' ? [name] : [])),
  )
  const written = variableUsesOf(template.map((message) => ({ ...message, role: 'user' }))).filter(
    ({ name, kind }) => messages.has(name) && kind !== 'condition',
  )
  const texts = textsOf(template)
  return written.flatMap(({ name }) => {
    const uses = texts.filter(({ text }) => placeOfName(text, name) !== undefined)
    const other = uses.find((use) => !use.isPlaceholder)
    if (!other) return []
    const message = `variable "${name}" is a list of messages in a placeholder, so it cannot be written in a text`
    return [
      { ...place, message, field: other.field, ...placeOf(other.text, placeOfName(other.text, name) ?? 0) },
    ]
  })
}

const NAME = String.raw`[${WHITE_SPACE}]*[a-zA-Z_][\w.]*[${WHITE_SPACE}]*`
const SUSPECTS: readonly { readonly pattern: RegExp; readonly message: (found: string) => string }[] = [
  {
    pattern: /\{\{[^{}]*\}\}/g,
    message: (found) => `${found} is not a variable name, so it is sent to the model as it stands`,
  },
  {
    pattern: new RegExp(`\\{\\{${NAME}\\}`, 'g'),
    message: (found) => `${found} lacks a closing brace, so it is sent to the model as it stands`,
  },
  {
    pattern: new RegExp(`(?<!\\{)\\{${NAME}\\}\\}`, 'g'),
    message: (found) => `${found} lacks an opening brace, so it is sent to the model as it stands`,
  },
  {
    // `${HOME}` and `\frac{a}{b}` are no variables.
    pattern: new RegExp(`(?<![\\\\$\\w{}])\\{${NAME}\\}(?!\\})`, 'g'),
    message: (found) =>
      `${found} has single braces, so it is sent to the model as it stands; a variable has two`,
  },
  { pattern: /\{\{/g, message: () => '{{ is never closed with }}, so it is sent to the model as it stands' },
  { pattern: /\{%/g, message: () => '{% is never closed with %}, so it is sent to the model as it stands' },
]

function lintBraces({ text, field }: TemplateText, isJinja: boolean): Finding[] {
  let rest = isJinja ? textOutsideTags(text) : text.replace(VARIABLE, blank)
  if (rest === undefined) return []
  const found: { at: number; message: string }[] = []
  for (const { pattern, message } of SUSPECTS) {
    rest = rest.replace(pattern, (match: string, ...more: unknown[]) => {
      const at = more.find((item) => typeof item === 'number') as number
      found.push({ at, message: message(match.replace(/\s+/g, ' ')) })
      return blank(match)
    })
  }
  return found
    .sort((a, b) => a.at - b.at)
    .map(({ at, message }) => ({ kind: 'braces', severity: 'warning', message, field, ...placeOf(text, at) }))
}

/** As long as it was, so that places stay. */
const blank = (text: string): string => ' '.repeat(text.length)

/** `undefined` where the text cannot be read: then that is what the author should know. */
function textOutsideTags(text: string): string | undefined {
  const outside = (nodes: readonly Node[]): string =>
    nodes
      .map((node) => {
        if (node.kind === 'text') return node.source
        if (node.kind === 'if')
          return node.branches.map((b) => blank(b.source) + outside(b.body)).join('') + blank(node.end)
        if (node.kind === 'for') {
          const otherwise = node.otherwise
          const last = otherwise ? blank(otherwise.source) + outside(otherwise.body) : ''
          return blank(node.source) + outside(node.body) + last + blank(node.end)
        }
        return blank(printNodes([node]))
      })
      .join('')
  try {
    return outside(parseJinja(text))
  } catch (error) {
    if (error instanceof TemplateError) return undefined
    throw error
  }
}

function compareNames(
  template: Template,
  texts: readonly TemplateText[],
  declared: readonly string[],
): Finding[] {
  const used = variablesOf(template)
  const isWithin = (a: string, b: string) => a === b || a.startsWith(`${b}.`)
  const areKin = (a: string, b: string) => isWithin(a, b) || isWithin(b, a)
  const undeclared = used
    .filter((name) => !declared.some((known) => areKin(name, known)))
    .map((name): Finding => {
      const { text, field } = texts.find(({ text }) => placeOfName(text, name) !== undefined) ?? NOWHERE
      // One letter is a slip away from every other.
      const hint = name.length < 3 ? '' : suggest(name, declared)
      const message = `variable ${name} is not declared${hint === '' ? '' : `. ${hint}`}`
      const place = placeOf(text, placeOfName(text, name) ?? 0)
      return { kind: 'undeclared', severity: 'warning', message, field, ...place }
    })
  const unused = declared
    .filter((name) => !used.some((known) => areKin(name, known)))
    .map((name): Finding => {
      const message = `variable ${name} is declared and not used`
      return { kind: 'unused', severity: 'warning', message, field: '', line: 1, column: 1 }
    })
  return [...undeclared, ...unused]
}

const NOWHERE: TemplateText = { text: '', field: '', isPlaceholder: false }

/** Where a variable is first read, in a text of either grammar. */
function placeOfName(text: string, name: string): number | undefined {
  for (const match of text.matchAll(VARIABLE)) if (match[1] === name) return match.index
  if (!usesJinja(text)) return undefined
  const root = name.split('.', 1)[0]
  try {
    const pieces = lex(text, (reason, at) => {
      throw new TemplateError(reason, text, at, '')
    })
    const tokens = pieces.flatMap((piece) => ('tokens' in piece ? piece.tokens : []))
    return tokens.find(({ kind, value }) => kind === 'name' && value === root)?.at
  } catch (error) {
    if (error instanceof TemplateError) return undefined
    throw error
  }
}
