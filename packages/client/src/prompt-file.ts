import { isMap, isSeq } from 'yaml'
import { InvalidInput } from './errors.ts'
import {
  editFrontMatter,
  fileError,
  isFence,
  isObject,
  parseYaml,
  readFrontMatter,
  type SplitFile,
  splitFile,
  toYaml,
} from './front-matter.ts'
import { hasIncludes } from './include-statement.ts'
import type { ChatMessage, JsonObject, ModelConfig, Template } from './prompt.ts'
import { suggest } from './suggest.ts'
import { variablesOf } from './template-uses.ts'
import { checkModelConfig, checkNote, checkTags, checkTemplate } from './validate.ts'

/** A prompt as people edit it: front matter between `---` lines, then the text. */
export interface PromptFile {
  /** The file's name without `.md`. */
  readonly name: string
  /** As it was given: for messages, and to write it back. */
  readonly path: string
  readonly description?: string
  /** Canonical text, or the messages of a file with `type: chat`. */
  readonly template: Template
  readonly modelConfig?: ModelConfig
  readonly responseFormat?: JsonObject
  readonly tags?: Readonly<Record<string, string>>
  /** As the front matter lists them, which is as the text uses them, in any order; absent when it does not. */
  readonly variables?: readonly string[]
}

const NAME = /^(?!\.)[A-Za-z0-9_.-]+$/

/** Whether a prompt of this name can have a file: hidden files and a README beside the prompts are none. */
export const canBeFile = (name: string): boolean => NAME.test(name) && name.toLowerCase() !== 'readme'

/**
 * The text that is registered, digested and compared: CRLF -> LF, blank lines trimmed at both ends, no final
 * newline. Indentation of the first line and spaces at the end of the last one stay.
 */
export function canonicalText(body: string): string {
  const lines = body.replaceAll('\r\n', '\n').split('\n')
  const first = lines.findIndex((line) => line.trim() !== '')
  const last = lines.findLastIndex((line) => line.trim() !== '')
  return first < 0 ? '' : lines.slice(first, last + 1).join('\n')
}

/** `canonicalText` for both kinds: of a chat prompt, each message's text. */
export function canonicalTemplate(template: Template): Template {
  if (typeof template === 'string') return canonicalText(template)
  return template.map((message) =>
    typeof message.content === 'string' ? { ...message, content: canonicalText(message.content) } : message,
  )
}

/**
 * Reads one prompt file. The front matter may be left out; the body of a file with `type: chat` is a YAML list
 * of messages (`role`, `content`, …).
 * @param path - Names the prompt (`…/<name>.md`) and stands in messages.
 * @throws {InvalidInput} `<path>:<line>: …`, with what was given and what is allowed.
 */
export function parsePromptFile(text: string, path: string): PromptFile {
  const name = promptNameOf(path)
  const nul = text.indexOf('\0')
  if (nul >= 0) throw fileError(path, text.slice(0, nul).split('\n').length, 'holds the character U+0000')
  const parts = splitFile(text, path)
  const matter = readFrontMatter(parts.front, path)

  const named = matter.text('name')
  if (named !== undefined && named !== name)
    throw fileError(
      path,
      matter.line('name'),
      `name is "${named}", but the file's name says "${name}"; they must agree`,
    )
  const chat = matter.text('type', ['text', 'chat']) === 'chat'
  const template = chat ? readMessages(parts, path) : canonicalText(parts.body)
  if (template.length === 0) throw fileError(path, parts.bodyLine, 'has no text; a prompt cannot be empty')

  const description = matter.text('description')
  const modelConfig = matter.object('model_config')
  const responseFormat = matter.object('response_format')
  const tags = matter.strings('tags')
  const variables = matter.list('variables')
  const check = (line: number, validate: () => void) => locate(path, line, validate)
  check(parts.bodyLine, () => checkTemplate(template, 'the text'))
  check(matter.line('description'), () => description && checkNote(description, 'description'))
  check(matter.line('model_config'), () => modelConfig && checkModelConfig(modelConfig, 'model_config'))
  check(matter.line('tags'), () => tags && checkTags(tags))
  check(matter.line('variables'), () => variables && checkVariables(variables, template))
  return {
    name,
    path,
    ...(description === undefined ? {} : { description }),
    template,
    ...(modelConfig === undefined ? {} : { modelConfig: modelConfig as ModelConfig }),
    ...(responseFormat === undefined ? {} : { responseFormat }),
    ...(tags === undefined ? {} : { tags }),
    ...(variables === undefined ? {} : { variables }),
  }
}

/**
 * Writes a prompt file; parsing it again gives the same prompt.
 * @param previous - The file's text so far: comments, order and quoting of its front matter stay, and only what
 * differs is changed.
 */
export function formatPromptFile(file: PromptFile, previous?: string): string {
  const template = canonicalTemplate(file.template)
  const chat = typeof template !== 'string'
  const before = previous === undefined ? undefined : splitFile(previous, file.path).front
  const matter = before === undefined ? undefined : readFrontMatter(before, file.path)
  const head = editFrontMatter(before, {
    name: matter?.text('name'),
    description: file.description,
    type: chat ? 'chat' : matter?.text('type') && 'text',
    model_config: file.modelConfig,
    response_format: file.responseFormat,
    variables: file.variables,
    tags: file.tags,
  })
  const body = chat ? toYaml(template) : `${template}\n`
  // A text that starts with a fence would be read as front matter: an empty one before it says otherwise.
  if (before === undefined && head === '' && !isFence(body.split('\n', 1)[0] ?? '')) return body
  return `---\n${head === '' || head.endsWith('\n') ? head : `${head}\n`}---\n\n${body}`
}

/** @throws {InvalidInput} when the file's name is not a prompt's name and `.md` */
export function promptNameOf(path: string): string {
  const base = path.split(/[\\/]/).at(-1) ?? ''
  const name = base.replace(/\.md$/, '')
  if (name === base) throw fileError(path, 1, 'a prompt file is named <prompt>.md')
  if (!canBeFile(name))
    throw fileError(
      path,
      1,
      `"${name}" cannot be a prompt's file: use letters, digits, _ - and . (not first), and not README`,
    )
  return name
}

/** Says where in the file it was that a validator refused. */
function locate(path: string, line: number, validate: () => void): void {
  try {
    validate()
  } catch (error) {
    throw fileError(path, line, (error as Error).message)
  }
}

function checkVariables(listed: readonly string[], template: Template): void {
  const used = variablesOf(template)
  const missing = used.filter((name) => !listed.includes(name))
  // What a text includes has variables of its own, which only a registry knows.
  const unused = hasIncludes(template) ? [] : listed.filter((name) => !used.includes(name))
  if (missing.length + unused.length === 0) return
  const slips = missing.map((name) => {
    const near = name.length < 3 ? '' : suggest(name, unused)
    return near === '' ? name : `${name} (${near.replace('Did', 'did')})`
  })
  const said = [
    missing.length > 0 ? `the text uses ${slips.join(', ')}, which it does not list` : '',
    unused.length > 0 ? `it lists ${unused.join(', ')}, which the text does not use` : '',
  ].filter((part) => part !== '')
  throw new InvalidInput(`variables must be those of the text: ${said.join('; ')}`)
}

function readMessages({ body, bodyLine }: SplitFile, path: string): readonly ChatMessage[] {
  const { document, lineOf, json } = parseYaml(body, path, bodyLine)
  const { contents } = document
  if (contents === null) return []
  if (!isSeq(contents))
    throw fileError(
      path,
      lineOf(contents),
      'the body of a chat prompt is a YAML list: "- role: system" and so on',
    )
  return contents.items.map((item) => {
    const message = isMap(item) ? json(item) : undefined
    if (!isObject(message)) throw fileError(path, lineOf(item), 'a message must have a role and content')
    const { role, content } = message
    if (typeof role !== 'string' || role === '')
      throw fileError(path, lineOf(item), `a message's role must be text such as system, user or assistant`)
    if (typeof content === 'string') return { ...message, role, content: canonicalText(content) }
    if (content === undefined || content === null || (Array.isArray(content) && content.every(isObject)))
      return { ...message, role } as ChatMessage
    throw fileError(
      path,
      lineOf(isMap(item) ? item.get('content', true) : item),
      `a message's content must be text or a list of parts; quote a text that starts with a brace`,
    )
  })
}
