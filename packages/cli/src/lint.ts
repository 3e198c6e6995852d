import type { Template } from '@promptkeep/client'
import { readUtf8 } from '@promptkeep/client/files'
import { hasIncludes, includesOf } from '@promptkeep/client/includes'
import { type Finding as LintFinding, lintTemplate } from '@promptkeep/client/templates'
import { CliError } from './cli-error.ts'
import type { Io } from './io.ts'
import { createStyle, oneLine } from './style.ts'

export interface LintFlags {
  /** `--strict`: warnings fail. */
  readonly strict?: true
  /** False for `--no-lint`. */
  readonly lint?: boolean
}

/** What is linted, and how it is called in messages. */
export interface Linted {
  readonly label: string
  /** As it is written. */
  readonly source: Template
  /** With its parts in it; absent where they are not known. */
  readonly expanded?: Template
  /** The file that it comes from: then lines are those of the file. */
  readonly path?: string
}

export interface Lint {
  readonly severity: LintFinding['severity']
  /** `file`: the file itself, such as its front matter or its includes; its text is not looked at then. */
  readonly kind: LintFinding['kind'] | 'file'
  /** `prompts/memory.md:7:3`, or the name and the place in its text. */
  readonly place: string
  readonly message: string
}

/** Findings in what a person wrote; where that is clean, in what it becomes with its parts. */
export async function lint(given: Linted): Promise<Lint[]> {
  const { label, source, expanded } = given
  const own = lintTemplate(hasIncludes(source) ? withoutIncludes(source) : source)
  if (own.length > 0 || expanded === undefined || expanded === source) {
    const firstLine = await firstLineOf(given)
    return own.map(({ severity, kind, message, ...at }) => ({
      severity,
      kind,
      message,
      place: placeOf(label, at, firstLine),
    }))
  }
  return lintTemplate(expanded).map(({ severity, kind, message, ...at }) => ({
    severity,
    kind,
    message,
    place: `${placeOf(label, at)} (with its parts)`,
  }))
}

/** An include is no Jinja that anybody renders: in its place stands a text as long. */
function withoutIncludes(template: Template): Template {
  const statements = [...new Set(includesOf(template).map(({ statement }) => statement))]
  const clear = (text: string) =>
    statements.reduce((done, statement) => done.replaceAll(statement, '.'.repeat(statement.length)), text)
  if (typeof template === 'string') return clear(template)
  return template.map((message) => {
    const { content } = message
    if (typeof content === 'string') return { ...message, content: clear(content) }
    if (!Array.isArray(content)) return message
    const parts = content.map((part) =>
      typeof part.text === 'string' ? { ...part, text: clear(part.text) } : part,
    )
    return { ...message, content: parts }
  })
}

/** Line of the file on which its text begins; unknown for messages, which are YAML there. */
async function firstLineOf({ source, path }: Linted): Promise<number | undefined> {
  if (path === undefined || typeof source !== 'string') return undefined
  const text = (await readUtf8(path)).replaceAll('\r\n', '\n')
  const at = text.lastIndexOf(source)
  return at < 0 ? undefined : text.slice(0, at).split('\n').length
}

function placeOf(
  label: string,
  { field, line, column }: Pick<LintFinding, 'field' | 'line' | 'column'>,
  firstLine?: number,
): string {
  if (firstLine !== undefined) return `${label}:${firstLine + line - 1}:${column}`
  return `${label}: ${field === '' ? '' : `${field} `}line ${line}, column ${column}`
}

/** One line each on standard error, errors first. */
export function tellLint(io: Io, found: readonly Lint[]): void {
  const style = createStyle(io.err, io.env)
  const errorsFirst = [...found].sort((a, b) =>
    a.severity < b.severity ? -1 : a.severity > b.severity ? 1 : 0,
  )
  for (const { severity, place, message } of errorsFirst) {
    const word = severity === 'error' ? style.red('ERROR') : style.yellow('WARN')
    io.err.write(`${word} ${oneLine(place)}: ${oneLine(message)}\n`)
  }
}

/**
 * Says what is wrong with texts, before any of them is registered.
 * @throws {CliError} exit 1: something can never be rendered, or with `--strict` is probably not meant so
 */
export async function requireClean(io: Io, texts: readonly Linted[], flags: LintFlags): Promise<void> {
  if (flags.lint === false) return
  const found = (await Promise.all(texts.map(lint))).flat()
  tellLint(io, found)
  const errors = found.filter(({ severity }) => severity === 'error').length
  if (errors > 0)
    throw new CliError(`${count(errors, 'error')}: nothing was registered`, {
      exitCode: 1,
      hint: 'A version is for ever, so it must be one that can be rendered; --no-lint registers it all the same.',
    })
  if (flags.strict && found.length > 0)
    throw new CliError(`${count(found.length, 'warning')} with --strict: nothing was registered`, {
      exitCode: 1,
    })
}

export const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`
