import type { ChatMessage, JsonObject, Template } from './prompt.ts'

/** What Python takes for white space, which is not what JavaScript's `\s` takes. For use inside a character class. */
export const WHITE_SPACE = String.raw`\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`

const NAME = String.raw`[a-zA-Z_]\w*(?:\.[a-zA-Z_]\w*)*`

/** MLflow's grammar: ASCII identifiers, joined by dots. The braces of JSON in a text never match it. */
export const VARIABLE = new RegExp(`\\{\\{[${WHITE_SPACE}]*(${NAME})[${WHITE_SPACE}]*\\}\\}`, 'g')

/** One text of a template, and where it is. */
export interface TemplateText {
  readonly text: string
  /** '' for a text prompt; of a chat prompt `messages[2].content` or `messages[2].content[0].text`. */
  readonly field: string
  /** The whole content of a message whose role is `placeholder`. */
  readonly isPlaceholder: boolean
}

/** Every text that is filled, in order. Tool calls, names and images are none. */
export function textsOf(template: Template): TemplateText[] {
  if (typeof template === 'string') return [{ text: template, field: '', isPlaceholder: false }]
  return template.flatMap(({ role, content }, i) => {
    const field = `messages[${i}].content`
    if (typeof content === 'string')
      return [{ text: content, field, isPlaceholder: role === PLACEHOLDER_ROLE }]
    return (content ?? []).flatMap((part, j) =>
      isTextPart(part) ? [{ text: part.text, field: `${field}[${j}].text`, isPlaceholder: false }] : [],
    )
  })
}

/** A message of this role stands for a list of messages: the value of the one variable that is its content. */
export const PLACEHOLDER_ROLE = 'placeholder'

export const isPlaceholder = (message: ChatMessage): boolean => message.role === PLACEHOLDER_ROLE

export const isTextPart = (part: JsonObject): part is JsonObject & { readonly text: string } =>
  part.type === 'text' && typeof part.text === 'string'

/** Nothing that a model could read: such a version counts as absent. */
export const isEmptyTemplate = (template: Template): boolean =>
  typeof template === 'string'
    ? template.trim() === ''
    : template.every((message) => !message.tool_calls?.length && isEmptyContent(message.content))

const isEmptyContent = (content: ChatMessage['content']): boolean =>
  typeof content === 'string'
    ? content.trim() === ''
    : (content ?? []).every((part) => isTextPart(part) && part.text.trim() === '')

/**
 * Whether MLflow's Python client renders this as Jinja: where one text holds both `{%` and `%}`, all of them are.
 * An opened tag that nothing closes is a text like any other.
 */
export const usesJinja = (template: Template): boolean =>
  textsOf(template).some(({ text }) => text.includes('{%') && text.includes('%}'))
