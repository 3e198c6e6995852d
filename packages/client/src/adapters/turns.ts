import { checkMessages } from '../chat-message.ts'
import { InvalidInput } from '../errors.ts'
import type { ChatMessage, Json, JsonObject } from '../prompt.ts'
import { type Adaption, unknown } from './adapter.ts'

export type Part =
  | { readonly type: 'text'; readonly text: string; readonly rest: JsonObject }
  | {
      readonly type: 'image'
      /** A web address, or a data URL. */
      readonly url: string
      /** Absent for `auto`. */
      readonly detail?: 'low' | 'high'
      readonly rest: JsonObject
    }
  | {
      readonly type: 'audio'
      readonly data: string
      readonly format: 'wav' | 'mp3'
      readonly rest: JsonObject
    }

export interface ToolCall {
  readonly id: string
  readonly name: string
  /** JSON, as it was written. */
  readonly arguments: string
  readonly rest: JsonObject
}

/** One message of a chat prompt, read and checked; what no target needs to know is in `rest`. */
export interface Turn {
  /** Where it stands, for messages: `messages[2]`. */
  readonly at: string
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool'
  /** As it was written: one text, parts, or nothing. */
  readonly content: string | readonly Part[] | undefined
  readonly name?: string
  readonly calls: readonly ToolCall[]
  /** Of a tool's result: the call that it answers. */
  readonly callId?: string
  readonly refusal?: string
  /** Further fields, which the caller asked to be sent. */
  readonly rest: JsonObject
}

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool'] as const
const isRole = (role: string): role is Turn['role'] => (ROLES as readonly string[]).includes(role)
const KNOWN = ['role', 'content', 'name', 'tool_calls', 'tool_call_id', 'refusal']

/** The conversation that a prompt is: a text becomes one message. @throws {InvalidInput} */
export function readTurns(adaption: Adaption): Turn[] {
  const { formatted, as } = adaption
  if (typeof formatted === 'string')
    return [{ at: 'text', role: as, content: formatted, calls: [], rest: {} }]
  checkMessages(formatted, 'messages')
  return formatted.map((message, i) => readTurn(adaption, message, `messages[${i}]`))
}

function readTurn(adaption: Adaption, message: ChatMessage, at: string): Turn {
  const { role, content, name, tool_calls: calls, tool_call_id: callId, refusal } = message
  if (!isRole(role)) throw new InvalidInput(`${at}.role must be one of ${ROLES.join(', ')}; got "${role}"`)
  if (role === 'tool' && callId == null)
    throw new InvalidInput(`${at}.tool_call_id is missing: which call is answered?`)
  if (calls != null && calls.length > 0 && role !== 'assistant') {
    throw new InvalidInput(`${at}.tool_calls: only an assistant calls tools, not the role "${role}"`)
  }
  return {
    at,
    role,
    content:
      typeof content === 'string'
        ? content
        : content?.map((part, i) => readPart(adaption, part, role, `${at}.content[${i}]`)),
    ...(name != null && !adaption.isOmitted('name') && { name }),
    calls: (calls ?? []).map((call, i) => readCall(adaption, call, `${at}.tool_calls[${i}]`)),
    ...(callId != null && { callId }),
    ...(typeof refusal === 'string' && !adaption.isOmitted('refusal') && { refusal }),
    rest: restOf(adaption, message, KNOWN, at),
  }
}

/** The form was checked by `checkMessages`. */
function readPart(adaption: Adaption, part: JsonObject, role: Turn['role'], at: string): Part {
  const { type } = part
  if (type !== 'text' && role !== 'user') {
    throw new InvalidInput(`${at} is of type "${type}", which only a user can say; got the role "${role}"`)
  }
  if (type === 'text')
    return { type, text: part.text as string, rest: restOf(adaption, part, ['type', 'text'], at) }
  if (type === 'image_url') {
    const image = part.image_url as JsonObject & { readonly url: string }
    const { url, detail } = image
    refuseRest(adaption, image, ['url', 'detail'], `${at}.image_url`)
    if (detail != null && !['auto', 'low', 'high'].includes(detail as string)) {
      throw new InvalidInput(
        `${at}.image_url.detail must be "auto", "low" or "high"; got ${JSON.stringify(detail)}`,
      )
    }
    const keeps = detail != null && detail !== 'auto' && !adaption.isOmitted('detail')
    const rest = restOf(adaption, part, ['type', 'image_url'], at)
    return { type: 'image', url, ...(keeps && { detail: detail as 'low' | 'high' }), rest }
  }
  if (type === 'input_audio') {
    const audio = part.input_audio as JsonObject & { readonly data: string; readonly format: 'wav' | 'mp3' }
    refuseRest(adaption, audio, ['data', 'format'], `${at}.input_audio`)
    const rest = restOf(adaption, part, ['type', 'input_audio'], at)
    return { type: 'audio', data: audio.data, format: audio.format, rest }
  }
  throw new InvalidInput(`${at} is of type "${type}", which ${adaption.target} do not take from a prompt`)
}

function readCall(adaption: Adaption, call: JsonObject, at: string): ToolCall {
  const { id, type = 'function', function: called } = call as ToolCallOnWire
  if (type !== 'function')
    throw new InvalidInput(`${at}.type must be "function"; got ${JSON.stringify(type)}`)
  if (!called.name) throw new InvalidInput(`${at}.function.name is missing`)
  refuseRest(adaption, called, ['name', 'arguments'], `${at}.function`)
  const rest = restOf(adaption, call, ['id', 'type', 'function'], at)
  return { id, name: called.name, arguments: called.arguments || '{}', rest }
}

type ToolCallOnWire = JsonObject & {
  readonly id: string
  readonly function: JsonObject & { readonly name?: string; readonly arguments?: string }
}

/** Deeper fields have no place of their own to be sent in. */
function refuseRest(adaption: Adaption, from: JsonObject, known: readonly string[], at: string): void {
  const field = Object.keys(from).find((field) => !known.includes(field) && !adaption.isOmitted(field))
  if (field === undefined) return
  throw new InvalidInput(
    `${at}.${field} is nothing that ${adaption.target} know; leave it out by omit: ["${field}"]`,
  )
}

/** Fields that no target documents: refused by name, unless the caller said what to do with them. */
function restOf(
  adaption: Adaption,
  from: Readonly<Record<string, Json | undefined>>,
  known: readonly string[],
  at: string,
): JsonObject {
  const rest: Record<string, Json> = {}
  for (const [field, value] of Object.entries(from)) {
    if (known.includes(field) || value == null || adaption.isOmitted(field)) continue
    if (!adaption.isSent(field)) throw unknown(adaption, `${at}.${field}`, field)
    rest[field] = structuredClone(value)
  }
  return rest
}

/** The text of a message that may hold nothing else. Parts follow each other without a gap, as they are read. */
export function textOf({ content, at }: Pick<Turn, 'content' | 'at'>): string {
  if (content === undefined) return ''
  if (typeof content === 'string') return content
  return content
    .map((part, i) => {
      const [field] = Object.keys(part.rest)
      if (field !== undefined)
        throw new InvalidInput(`${at}.content[${i}].${field} has no place where texts are joined`)
      if (part.type === 'text') return part.text
      throw new InvalidInput(`${at}.content[${i}] must be text; got ${part.type}`)
    })
    .join('')
}

/** What a tool call was given, as a value. @throws {InvalidInput} unless it is a JSON object */
export function inputOf({ arguments: text, id }: ToolCall, at: string): JsonObject {
  try {
    const input: unknown = JSON.parse(text)
    if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input as JsonObject
  } catch {
    // Said below, in the same words.
  }
  throw new InvalidInput(`${at}: the arguments of the tool call "${id}" must be a JSON object`)
}

/** Refuses the fields that a target has no place for. */
export function refuseFields(adaption: Adaption, turn: Turn, fields: readonly ('name' | 'refusal')[]): void {
  for (const field of fields) {
    if (turn[field] === undefined) continue
    throw new InvalidInput(
      `${turn.at}.${field} is nothing that ${adaption.target} know; leave it out by omit: ["${field}"]`,
    )
  }
}
