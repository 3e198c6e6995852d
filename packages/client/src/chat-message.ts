import { checkJsonObject, isObject } from './check-json.ts'
import { InvalidInput } from './errors.ts'
import type { JsonObject } from './prompt.ts'
import { refuse } from './refuse.ts'
import { PLACEHOLDER_ROLE, VARIABLE } from './template-texts.ts'

/**
 * Chat messages as MLflow's Python client reads them: it checks only after a version was made, and leaves one behind
 * that nobody can load.
 * @throws {InvalidInput}
 */
export function checkMessages(messages: readonly unknown[], field: string): void {
  for (const [i, message] of messages.entries()) {
    const at = `${field}[${i}]`
    checkJsonObject(message, at)
    const { role, content, tool_calls: calls } = message
    if (typeof role !== 'string' || role === '')
      refuse(`${at}.role`, role, 'a role, such as "system" or "user"')
    for (const key of ['name', 'tool_call_id', 'refusal']) {
      if (message[key] != null && typeof message[key] !== 'string')
        refuse(`${at}.${key}`, message[key], 'a text')
    }
    if (Array.isArray(content))
      for (const [j, part] of content.entries()) checkPart(part, `${at}.content[${j}]`)
    else if (content != null && typeof content !== 'string') {
      refuse(`${at}.content`, content, 'a text, a list of parts, or nothing')
    }
    if (role === PLACEHOLDER_ROLE && placeholderName(content) === undefined)
      refuse(
        `${at}.content`,
        content,
        'one variable and nothing else, as "{{ history }}", for the role "placeholder"',
      )
    if (calls == null) continue
    if (!Array.isArray(calls)) refuse(`${at}.tool_calls`, calls, 'a list of tool calls')
    for (const [j, call] of calls.entries()) checkToolCall(call, `${at}.tool_calls[${j}]`)
  }
}

/** What a message may hold in place of content, as OpenAI's. */
const INSTEAD = ['tool_calls', 'function_call', 'refusal', 'audio']

/**
 * Messages that a caller gives say something: one whose content is misspelt would be sent to the model without any.
 * A prompt's own messages may lack content, as MLflow's Python client allows.
 * @param messages - Which `checkMessages` took.
 * @throws {InvalidInput}
 */
export function checkContents(messages: readonly JsonObject[], field: string): void {
  for (const [i, message] of messages.entries()) {
    const says = (key: string) => {
      const value = message[key]
      return value != null && !(Array.isArray(value) && value.length === 0)
    }
    if (message.content == null && !INSTEAD.some(says)) {
      const allowed = `a text or a list of parts, unless the message has ${INSTEAD.join(', ')}`
      refuse(`${field}[${i}].content`, message.content, allowed)
    }
  }
}

/** The variable of a placeholder's content; `undefined` where that is anything else. */
export function placeholderName(content: unknown): string | undefined {
  if (typeof content !== 'string') return undefined
  const [before, name, after, ...more] = content.split(VARIABLE)
  return before === '' && after === '' && more.length === 0 ? name : undefined
}

/** The parts that MLflow's Python client knows, each with the one key that it insists on. */
const PARTS: Readonly<Record<string, (part: JsonObject) => boolean>> = {
  text: (part) => typeof part.text === 'string',
  image_url: ({ image_url: image }) => isObject(image) && typeof image.url === 'string',
  input_audio: ({ input_audio: audio }) =>
    isObject(audio) && typeof audio.data === 'string' && (audio.format === 'wav' || audio.format === 'mp3'),
  reasoning: ({ summary }) => summary === undefined || Array.isArray(summary),
}

function checkPart(part: unknown, field: string): void {
  const type = isObject(part) ? part.type : undefined
  const isValid = typeof type === 'string' && Object.hasOwn(PARTS, type) ? PARTS[type] : undefined
  if (!isValid) refuse(`${field}.type`, type, `one of ${Object.keys(PARTS).join(', ')}`)
  if (!isValid(part as JsonObject)) {
    throw new InvalidInput(`${field} is no valid part of type ${type}: it must hold ${type} in OpenAI's form`)
  }
}

function checkToolCall(call: unknown, field: string): void {
  if (!isObject(call)) refuse(field, call, 'an object { id, type, function }')
  if (typeof call.id !== 'string') refuse(`${field}.id`, call.id, 'a text')
  if (!isObject(call.function)) refuse(`${field}.function`, call.function, 'an object { name, arguments }')
  for (const key of ['name', 'arguments']) {
    const value = call.function[key]
    if (value != null && typeof value !== 'string') refuse(`${field}.function.${key}`, value, 'a text')
  }
}
