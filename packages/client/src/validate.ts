import { InvalidInput } from './errors.ts'
import type { JsonObject, ModelConfig, Template } from './prompt.ts'
import { isEmptyTemplate } from './template.ts'
import type { VersionDraft } from './transport.ts'
import { CONTENT_TAGS, OWN_TAGS } from './wire.ts'

/** MLflow's limits, in characters (code points), as its client and server count them. */
export const LIMIT = {
  text: 100_000,
  tagKey: 250,
  tagValue: 100_000,
  alias: 255,
  name: 1000,
  message: 5000,
} as const

/** Deeper than any real schema; a cycle ends here. */
const MAX_DEPTH = 64

/** @throws {InvalidInput} unless it is a prompt name: letters, digits, `_`, `.`, `-`, and not `.` or `..` */
export function checkName(name: unknown, field = 'name'): asserts name is string {
  const ok = typeof name === 'string' && /^[A-Za-z0-9_.-]+$/.test(name) && name !== '.' && name !== '..'
  if (!ok) refuse(field, name, 'letters, digits, "_", "." and "-" (and not "." or "..")')
  if (name.length > LIMIT.name) refuse(field, name, `at most ${LIMIT.name} characters`)
}

/** @throws {InvalidInput} unless it can be set: not `latest` (any case) and not `v<digits>`, which are reserved */
export function checkAlias(alias: unknown, field = 'alias'): asserts alias is string {
  checkAliasForm(alias, field)
  if (alias.toLowerCase() === 'latest' || /^v\d+$/i.test(alias)) {
    refuse(field, alias, 'anything but "latest" and "v<number>", which are reserved')
  }
}

/** As {@link checkAlias}, and `latest`, which a load may follow. */
export function checkAliasToLoad(alias: unknown, field = 'alias'): asserts alias is string {
  if (alias === 'latest') return
  checkAliasForm(alias, field)
  if (/^v\d+$/i.test(alias))
    refuse(field, alias, `an alias; for a version by number give version: ${alias.slice(1)}`)
  if (alias.toLowerCase() === 'latest') refuse(field, alias, '"latest" in lower case')
}

function checkAliasForm(alias: unknown, field: string): asserts alias is string {
  const ok = typeof alias === 'string' && /^[\p{L}\p{N}_-]+$/u.test(alias)
  if (!ok) refuse(field, alias, 'letters, digits, "_" and "-"')
  if (lengthOf(alias) > LIMIT.alias) refuse(field, alias, `at most ${LIMIT.alias} characters`)
}

/** One alias or a chain of them, as a chain. @throws {InvalidInput} */
export function checkChain(alias: unknown, field = 'alias'): readonly string[] {
  const chain: readonly unknown[] = Array.isArray(alias) ? alias : [alias]
  if (chain.length === 0) refuse(field, alias, 'an alias, or a list of at least one')
  const seen = new Set<string>()
  for (const [i, one] of chain.entries()) {
    checkAliasToLoad(one, Array.isArray(alias) ? `${field}[${i}]` : field)
    if (seen.has(one)) refuse(field, one, 'each alias once in a chain')
    seen.add(one)
  }
  return [...seen]
}

/** @throws {InvalidInput} unless it is a whole number from 1 to 2147483647 */
export function checkVersion(version: unknown, field = 'version'): asserts version is number {
  if (!Number.isInteger(version) || (version as number) < 1 || (version as number) > 2_147_483_647) {
    refuse(field, version, 'a whole number from 1 to 2147483647')
  }
}

/** A text, or chat messages as MLflow's Python client can read them. @throws {InvalidInput} */
export function checkTemplate(template: unknown, field = 'template'): asserts template is Template {
  if (typeof template === 'string') checkText(template, field)
  else if (Array.isArray(template)) checkMessages(template, field)
  else refuse(field, template, 'a text, or a list of chat messages')
  const length = lengthOf(typeof template === 'string' ? template : JSON.stringify(template))
  if (length > LIMIT.text) {
    throw new InvalidInput(`${field} has ${length} characters; at most ${LIMIT.text} are allowed`)
  }
  if (isEmptyTemplate(template as Template)) {
    throw new InvalidInput(
      `${field} is empty; it must hold some text, because an empty prompt is never served`,
    )
  }
}

function checkMessages(messages: readonly unknown[], field: string): void {
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
    if (calls == null) continue
    if (!Array.isArray(calls)) refuse(`${at}.tool_calls`, calls, 'a list of tool calls')
    for (const [j, call] of calls.entries()) checkToolCall(call, `${at}.tool_calls[${j}]`)
  }
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

/** MLflow's checks of the fields that it knows; further fields may hold any JSON. @throws {InvalidInput} */
export function checkModelConfig(config: unknown, field = 'modelConfig'): asserts config is ModelConfig {
  checkJsonObject(config, field)
  const whole = (v: unknown) => Number.isInteger(v) && (v as number) > 0
  const number = (v: unknown): v is number => typeof v === 'number'
  const rules: Record<string, readonly [isValid: (value: unknown) => boolean, allowed: string]> = {
    provider: [(v) => typeof v === 'string', 'a text'],
    model_name: [(v) => typeof v === 'string', 'a text'],
    temperature: [(v) => number(v) && v >= 0, 'a number of at least 0'],
    max_tokens: [whole, 'a whole number above 0'],
    top_p: [(v) => number(v) && v >= 0 && v <= 1, 'a number from 0 to 1'],
    top_k: [whole, 'a whole number above 0'],
    frequency_penalty: [number, 'a number'],
    presence_penalty: [number, 'a number'],
    stop_sequences: [(v) => Array.isArray(v) && v.every((s) => typeof s === 'string'), 'a list of texts'],
  }
  for (const [key, [isValid, allowed]] of Object.entries(rules)) {
    if (config[key] !== undefined && !isValid(config[key])) refuse(`${field}.${key}`, config[key], allowed)
  }
}

/** Tags of a version that a caller may set. @throws {InvalidInput} also for those that hold the content */
export function checkTags(tags: unknown, field = 'tags'): asserts tags is Record<string, string> {
  if (!isObject(tags)) refuse(field, tags, 'an object of texts')
  for (const [key, value] of Object.entries(tags)) {
    const stable = !/(^|\/)\.{0,2}(\/|$)/.test(key)
    if (!/^[/\p{L}\p{N}_.\- :]+$/u.test(key) || !stable || lengthOf(key) > LIMIT.tagKey) {
      refuse(
        `${field} key`,
        key,
        `letters, digits and _ . - : / space, at most ${LIMIT.tagKey}, not like a path`,
      )
    }
    if (CONTENT_TAGS.has(key) || OWN_TAGS.has(key)) refuse(`${field} key`, key, 'a key that is not reserved')
    if (typeof value !== 'string') refuse(`${field}["${key}"]`, value, 'a text')
    checkText(value, `${field}["${key}"]`)
    if (lengthOf(value) > LIMIT.tagValue)
      refuse(`${field}["${key}"]`, value, `at most ${LIMIT.tagValue} characters`)
  }
}

/**
 * Checks everything that a caller gives for a new version, before the first request.
 * @returns A copy that the caller can no longer change, without keys that are `undefined`.
 * @throws {InvalidInput}
 */
export function checkDraft(draft: unknown): VersionDraft {
  if (!isObject(draft)) refuse('draft', draft, 'an object { name, template, … }')
  const { name, template, modelConfig, responseFormat, commitMessage, description, tags } =
    draft as Partial<VersionDraft>
  checkName(name)
  checkTemplate(template)
  if (modelConfig !== undefined) checkModelConfig(modelConfig)
  if (responseFormat !== undefined) checkJsonObject(responseFormat, 'responseFormat')
  checkFits(modelConfig, 'modelConfig')
  checkFits(responseFormat, 'responseFormat')
  if (commitMessage !== undefined) checkNote(commitMessage, 'commitMessage')
  if (description !== undefined) checkNote(description, 'description')
  if (tags !== undefined) checkTags(tags)
  const given = { name, template, modelConfig, responseFormat, commitMessage, description, tags }
  return JSON.parse(JSON.stringify(given)) as VersionDraft
}

/** Both are kept as a tag. */
function checkFits(value: object | undefined, field: string): void {
  const length = value === undefined ? 0 : lengthOf(JSON.stringify(value))
  if (length > LIMIT.tagValue) {
    throw new InvalidInput(`${field} has ${length} characters as JSON; at most ${LIMIT.tagValue} are allowed`)
  }
}

/** A commit message, a description, a reason. @throws {InvalidInput} */
export function checkNote(note: unknown, field: string): asserts note is string {
  if (typeof note !== 'string') refuse(field, note, 'a text')
  checkText(note, field)
  if (lengthOf(note) > LIMIT.message) refuse(field, note, `at most ${LIMIT.message} characters`)
}

/** @throws {InvalidInput} for what a database or another language cannot hold: U+0000 and half characters */
export function checkText(text: string, field: string): void {
  if (text.includes('\0'))
    throw new InvalidInput(`${field} holds the character U+0000, which cannot be stored`)
  if (/\p{Surrogate}/u.test(text)) {
    throw new InvalidInput(`${field} holds a lone surrogate (half of a character), which cannot be stored`)
  }
}

/** A plain object of JSON values all the way down. @throws {InvalidInput} */
export function checkJsonObject(value: unknown, field: string): asserts value is JsonObject {
  if (!isObject(value)) refuse(field, value, 'a JSON object')
  checkJson(value, field, 0)
}

function checkJson(value: unknown, field: string, depth: number): void {
  if (depth > MAX_DEPTH)
    throw new InvalidInput(`${field} is nested deeper than ${MAX_DEPTH} levels, or in a circle`)
  if (value === null || value === undefined || typeof value === 'boolean') return
  if (typeof value === 'string') checkText(value, field)
  else if (typeof value === 'number') {
    if (!Number.isFinite(value)) refuse(field, value, 'a finite number')
  } else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      if (item === undefined) refuse(`${field}[${i}]`, item, 'a JSON value')
      checkJson(item, `${field}[${i}]`, depth + 1)
    }
  } else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      checkText(key, `a key of ${field}`)
      checkJson(item, `${field}.${key}`, depth + 1)
    }
  } else refuse(field, value, 'a JSON value')
}

/** An object literal or the like: no array, no class instance, which JSON would silently flatten. */
export function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Any object that is no list: options and settings, which may be instances. @throws {InvalidInput} */
export function checkObject(value: unknown, field: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(field, value, 'an object')
}

/** The one sentence for bad input: which field, what was given, what is allowed. */
export function refuse(field: string, given: unknown, allowed: string): never {
  throw new InvalidInput(`${field} must be ${allowed}; got ${describe(given)}`)
}

function describe(value: unknown): string {
  if (typeof value === 'string') {
    return value.length > 80 ? `a text of ${lengthOf(value)} characters` : JSON.stringify(value)
  }
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean') {
    return String(value)
  }
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function lengthOf(text: string): number {
  let length = 0
  for (const _ of text) length++
  return length
}
